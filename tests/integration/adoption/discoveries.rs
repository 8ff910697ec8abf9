//! Charts that appear after an adoption, from a poll or an event, and what Platz makes of them.

use serde_json::Value;

use crate::support::ecr_messages::push;
use crate::support::platz::PlatzDatabase;
use crate::support::platz_site::{PlatzSite, TABLES_AS_DIESEL_READS_THEM, changes, layer};
use crate::support::stack::{ECR, batch, failed};

const ORDERS: &str = "my-org/orders-chart";

/// Returns `domain name`, `repository` and kind of each registry row, in the order of their names.
async fn registries(platz: &PlatzDatabase) -> Vec<String> {
    let sql = "\
        SELECT concat_ws(' ', domain_name, repo_name, kind.name)
        FROM helm_registries JOIN deployment_kinds AS kind ON kind.id = kind_id
        ORDER BY repo_name, domain_name";
    platz.rows.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_new_chart_is_announced_once_and_offered_as_an_upgrade() {
    let site = PlatzSite::new().await;
    site.repository(ORDERS, "Orders").await;
    let (old, _) = site.discovered(ORDERS, "1.9.0").await;
    site.deploy("orders", &old).await;
    let mut api = site.adopt().await;
    assert_eq!(site.upgrades().await, [""; 0]);
    site.push(ORDERS, "1.10.0", "new").await;
    site.poll().await;
    let heard = api.heard().await;
    assert_eq!(changes(&heard), ["INSERT helm_charts"]);
    let row = site
        .platz
        .rows
        .query_one(
            "SELECT id::text, parsed_version, parsed_revision, parsed_branch, parsed_commit
            FROM helm_charts WHERE image_tag = '1.10.0'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(heard[0]["data"]["id"], row.get::<_, String>(0));
    let parsed: Vec<Option<&str>> = (1..5).map(|column| row.get(column)).collect();
    assert_eq!(parsed, [Some("1.10.0"), None, Some(""), Some("")]);
    assert_eq!(site.upgrades().await, ["orders 1.10.0"]);
}

#[tokio::test]
async fn the_version_of_a_new_chart_is_its_own_and_not_its_tags() {
    let site = PlatzSite::new().await;
    site.repository(ORDERS, "Orders").await;
    let (old, _) = site.discovered(ORDERS, "1.9.0").await;
    site.deploy("orders", &old).await;
    site.adopt().await;
    let pusher = &site.stack.pusher;
    pusher.push_archive(ORDERS, "5.0.0", &layer("1.8.0", "older than its tag")).await.unwrap();
    pusher.push_archive(ORDERS, "1.0.0", &layer("2.0.0", "newer than its tag")).await.unwrap();
    pusher.push_archive(ORDERS, "9.0.0", b"not an archive").await.unwrap();
    site.poll().await;
    assert_eq!(site.upgrades().await, ["orders 1.0.0"], "neither an older nor a BROKEN chart");
}

#[tokio::test]
async fn new_registries_have_a_bare_host_and_kinds_that_the_predecessor_would_make() {
    let site = PlatzSite::new().await;
    site.repository_at(ECR, "my-org/billing-chart", "Money", "Ecr").await;
    let mut api = site.adopt().await;
    // The last two are kinds to which no namespace could belong, if they were named as before.
    for repository in [
        ORDERS,
        "my-org/payments-api",
        "my-org/billing-chart",
        "charts",
        "other-org/charts",
        "team/user_service-chart",
    ] {
        site.push(repository, "1.0.0", repository).await;
    }
    site.poll().await;
    let host = site.stack.registry.host();
    let seen = registries(&site.platz).await;
    let name = |repository: &str| {
        let line = seen.iter().find(|line| line.starts_with(&format!("{host} {repository} ")));
        line.unwrap_or_else(|| panic!("{repository}: {seen:?}")).rsplit(' ').next().unwrap()
    };
    assert_eq!(name(ORDERS), "Orders");
    assert_eq!(name("my-org/payments-api"), "PaymentsApi");
    assert_eq!(name("my-org/billing-chart"), "Money", "a mirror shares its kind");
    let kinds: Vec<&str> = seen.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    for kind in &kinds {
        let valid = kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        assert!(valid && !kind.is_empty() && !kind.starts_with('-'), "{kind:?} of {seen:?}");
    }
    let heard = changes(&api.heard().await);
    let count = |change: &str| heard.iter().filter(|heard| *heard == change).count();
    assert_eq!(count("INSERT helm_registries"), 6, "{heard:?}");
    assert_eq!(count("INSERT deployment_kinds"), 5, "{heard:?}");
    assert_eq!(count("INSERT helm_charts"), 6, "{heard:?}");
    assert_eq!(heard.len(), 17, "{heard:?}");
}

#[tokio::test]
async fn events_of_ecr_are_followed_in_the_rows_of_platz() {
    let site = PlatzSite::new().await;
    site.repository_at(ECR, ORDERS, "Orders", "Ecr").await;
    let (old, digest) = site.discovered(ORDERS, "1.9.0").await;
    site.chart(ORDERS, "1.9.0", digest.as_str()).await;
    site.deploy("orders", &old).await;
    let mut api = site.adopt().await;
    let ecr = site.stack.ecr_events_with(&[("ENABLE_TAG_PARSER", "true")]).await;
    let contents = site.platz.contents().await;
    let again = batch(&[push(ORDERS, "1.9.0", &digest)]);
    assert_eq!(ecr.invoke(&again).await.unwrap(), failed(&[]));
    assert_eq!(site.platz.contents().await, contents, "an event that was delivered again");
    assert_eq!(api.heard().await, Vec::<Value>::new());

    let new = site.push(ORDERS, "1.10.0", "new").await;
    let other = site.push("my-org/payments-api", "1.0.0", "new").await;
    let pushes = batch(&[
        push(ORDERS, "1.10.0", &new),
        push("my-org/payments-api", "1.0.0", &other),
        push(ORDERS, "1.10.0", &new),
    ]);
    for _ in 0..2 {
        assert_eq!(ecr.invoke(&pushes).await.unwrap(), failed(&[]));
    }
    assert_eq!(
        registries(&site.platz).await,
        [format!("{ECR} {ORDERS} Orders"), format!("{ECR} my-org/payments-api PaymentsApi")]
    );
    let mut heard = changes(&api.heard().await);
    heard.sort();
    assert_eq!(
        heard,
        [
            "INSERT deployment_kinds",
            "INSERT helm_charts",
            "INSERT helm_charts",
            "INSERT helm_registries"
        ]
    );
    assert_eq!(site.upgrades().await, ["orders 1.10.0"]);

    site.stack.pusher.delete(ORDERS, &digest).await.unwrap();
    let gone = crate::support::ecr_messages::delete(ORDERS, Some("1.9.0"), &digest);
    assert_eq!(ecr.invoke(&batch(&[gone])).await.unwrap(), failed(&[]));
    assert_eq!(site.available("1.9.0").await, [""; 0]);
    assert_eq!(changes(&api.heard().await), ["UPDATE helm_charts"; 2]);
    site.assert_charts_resolve().await;
}

#[tokio::test]
async fn platz_reads_the_same_rows_before_and_after() {
    let platz = PlatzDatabase::new().await;
    let read = async || {
        let mut rows = Vec::new();
        for sql in TABLES_AS_DIESEL_READS_THEM {
            let all = format!("SELECT to_jsonb(t)::text FROM ({sql}) AS t ORDER BY 1");
            let table = platz.rows.query(&all, &[]).await.unwrap();
            assert!(!table.is_empty(), "{sql}");
            rows.push(table.iter().map(|row| row.get(0)).collect::<Vec<String>>());
        }
        let upgrades = platz.rows.query(crate::support::platz_site::UPGRADES, &[]).await.unwrap();
        rows.push(upgrades.iter().map(|row| row.get(0)).collect());
        rows
    };
    let before = read().await;
    // Without the BROKEN 2.3.0 of orders.
    let upgrades = ["orders 1.10.0", "payments latest", "payments 0.7.0"];
    assert_eq!(before.last().unwrap(), &upgrades);
    platz.adopt().await;
    assert_eq!(read().await, before);
}
