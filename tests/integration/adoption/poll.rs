//! Passes of `oci-poll` over a registry that Platz's chart-discovery followed before.

use serde_json::{Value, json};
use tests::admin::Admin;

use crate::support::admin_site::{client, read};
use crate::support::assert_summary::assert_summary;
use crate::support::platz_site::{PlatzSite, changes};
use crate::support::stack::count;

const ORDERS: &str = "my-org/orders-chart";

/// Has three tags in the registry, each with its row, and a deployment.
async fn unmoved() -> PlatzSite {
    let site = PlatzSite::new().await;
    site.repository(ORDERS, "Orders").await;
    let (oldest, _) = site.discovered(ORDERS, "1.9.0").await;
    site.discovered(ORDERS, "1.10.0").await;
    site.discovered(ORDERS, "2.0.0").await;
    site.deploy("orders", &oldest).await;
    site
}

#[tokio::test]
async fn a_pass_over_an_unchanged_registry_writes_no_row_of_platz() {
    let site = unmoved().await;
    // Equal rows, and a row whose error no registry explains, are left as they are.
    let (_, digest) = site.discovered(ORDERS, "2.1.0").await;
    site.chart(ORDERS, "2.1.0", digest.as_str()).await;
    let unread = site.push(ORDERS, "2.2.0", "unread").await;
    site.broken(ORDERS, "2.2.0", unread.as_str(), "connection reset by peer (os error 104)").await;
    let mut api = site.adopt().await;
    let (contents, upgrades) = (site.platz.contents().await, site.upgrades().await);
    for _ in 0..2 {
        let summary = site.poll().await;
        assert_summary!(summary, added = 0, unavailable = 0, broken = 0);
        assert_eq!(site.platz.contents().await, contents);
        assert_eq!(api.heard().await, Vec::<Value>::new());
    }
    assert_eq!(upgrades.len(), 4, "{upgrades:?}");
    assert_eq!(site.upgrades().await, upgrades);
}

#[tokio::test]
async fn a_moved_tag_keeps_the_row_of_the_digest_that_the_registry_has() {
    // The registry's digest is the smaller one of some tags, and the larger one of others.
    let site = PlatzSite::new().await;
    site.repository(ORDERS, "Orders").await;
    let tags: Vec<String> = (0..6).map(|n| format!("1.{n}.0")).collect();
    let (mut current, mut smaller) = (Vec::new(), 0);
    for tag in &tags {
        let old = site.push(ORDERS, tag, "old").await;
        let new = site.push(ORDERS, tag, "new").await;
        smaller += usize::from(new.as_str() < old.as_str());
        let moved = site.chart(ORDERS, tag, old.as_str()).await;
        current.push(site.chart(ORDERS, tag, new.as_str()).await);
        site.deploy(&format!("on {tag}"), &moved).await;
    }
    assert!(smaller > 0 && smaller < tags.len(), "both orders of digests are needed: {smaller}");
    let mut api = site.adopt().await;
    let rows = "SELECT count(*) FROM helm_charts";
    assert_eq!(count(&site.platz.rows, rows).await, 12);
    let summary = site.poll().await;
    assert_summary!(summary, added = 0, unavailable = 6);
    for (tag, id) in tags.iter().zip(&current) {
        assert_eq!(site.available(tag).await, std::slice::from_ref(id), "{tag}");
    }
    assert_eq!(count(&site.platz.rows, rows).await, 12, "no id is lost, and no row is made");
    site.assert_charts_resolve().await;
    assert_eq!(changes(&api.heard().await), ["UPDATE helm_charts"; 6]);
    let contents = site.platz.contents().await;
    site.poll().await;
    assert_eq!(site.platz.contents().await, contents);
    assert_eq!(api.heard().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_moved_tag_that_is_gone_has_no_available_row() {
    let site = unmoved().await;
    let old = site.push(ORDERS, "3.0.0", "old").await;
    let new = site.push(ORDERS, "3.0.0", "new").await;
    for digest in [&old, &new] {
        site.chart(ORDERS, "3.0.0", digest.as_str()).await;
        site.stack.pusher.delete(ORDERS, digest).await.unwrap();
    }
    site.adopt().await;
    site.poll().await;
    assert_eq!(site.available("3.0.0").await, [""; 0]);
    assert_eq!(site.available("2.0.0").await.len(), 1);
}

#[tokio::test]
async fn equal_rows_of_a_deleted_tag_go_together_and_one_returns() {
    let site = unmoved().await;
    let (first, digest) = site.discovered(ORDERS, "3.0.0").await;
    for _ in 0..2 {
        site.chart(ORDERS, "3.0.0", digest.as_str()).await;
    }
    site.deploy("thrice", &first).await;
    let mut api = site.adopt().await;
    site.poll().await;
    assert_eq!(site.available("3.0.0").await.len(), 3, "equal rows are all right");

    site.stack.pusher.delete(ORDERS, &digest).await.unwrap();
    site.poll().await;
    assert_eq!(site.available("3.0.0").await, [""; 0]);
    assert_eq!(changes(&api.heard().await), ["UPDATE helm_charts"; 3]);

    assert_eq!(site.push(ORDERS, "3.0.0", "3.0.0").await, digest);
    site.poll().await;
    assert_eq!(site.available("3.0.0").await.len(), 1);
    assert_eq!(changes(&api.heard().await), ["UPDATE helm_charts"]);
    assert_eq!(count(&site.platz.rows, "SELECT count(*) FROM helm_charts").await, 6);
    site.assert_charts_resolve().await;
}

#[tokio::test]
async fn rows_that_our_own_tables_would_refuse_are_retired() {
    let site = unmoved().await;
    let said = "helm failed, and said a lot. ".repeat(107);
    let broken = site.push(ORDERS, "3.0.0", "broken").await;
    let long = site.broken(ORDERS, "3.0.0", broken.as_str(), &said).await;
    site.push(ORDERS, "3.1.0", "made up").await;
    let pseudo = format!("oci-pseudo:{ORDERS}:3.1.0:{}", "9".repeat(200));
    let made_up = site.chart(ORDERS, "3.1.0", &pseudo).await;
    site.deploy("made up", &made_up).await;
    let mut api = site.adopt().await;
    site.stack.pusher.delete(ORDERS, &broken).await.unwrap();
    site.poll().await;
    let gone = "SELECT count(*) FROM helm_charts WHERE NOT available AND id::text IN";
    let gone = format!("{gone} ('{long}', '{made_up}')");
    assert_eq!(count(&site.platz.rows, &gone).await, 2);
    // The tag with the made-up digest has a row with the real one instead.
    assert_eq!(site.available("3.1.0").await.len(), 1);
    let mut heard = changes(&api.heard().await);
    heard.sort();
    assert_eq!(heard, ["INSERT helm_charts", "UPDATE helm_charts", "UPDATE helm_charts"]);
    site.assert_charts_resolve().await;
}

/// The columns that we keep beside Platz's tables, as a later Platz could name its own.
const LATER_COLUMNS: &str = "\
ALTER TABLE helm_charts
    ADD COLUMN chart_name varchar, ADD COLUMN chart_version varchar, ADD COLUMN app_version varchar,
    ADD COLUMN description varchar, ADD COLUMN git_commit varchar, ADD COLUMN git_branch varchar,
    ADD COLUMN git_repo varchar, ADD COLUMN digest varchar, ADD COLUMN parsed_with varchar,
    ADD COLUMN adopted varchar, ADD COLUMN chart_id varchar, ADD COLUMN registry_host varchar,
    ADD COLUMN repo_name varchar, ADD COLUMN kind_id varchar, ADD COLUMN place varchar,
    ADD COLUMN reference varchar, ADD COLUMN version varchar;
ALTER TABLE helm_registries
    ADD COLUMN registry_host varchar, ADD COLUMN kind_name varchar, ADD COLUMN host varchar,
    ADD COLUMN reference varchar, ADD COLUMN digest varchar, ADD COLUMN description varchar;
ALTER TABLE deployment_kinds
    ADD COLUMN fa_icon varchar, ADD COLUMN available varchar, ADD COLUMN kind_id varchar,
    ADD COLUMN provider varchar;
ALTER TABLE helm_tag_formats
    ADD COLUMN version varchar, ADD COLUMN place varchar, ADD COLUMN is_only varchar,
    ADD COLUMN name varchar";

#[tokio::test]
async fn columns_that_a_later_platz_adds_disturb_nothing() {
    let site = unmoved().await;
    site.adopt().await;
    site.poll().await;
    site.platz.rows.batch_execute(LATER_COLUMNS).await.unwrap();
    site.push(ORDERS, "2.1.0", "new").await;
    site.push("my-org/payments-api", "0.1.0", "new").await;
    assert_summary!(site.poll().await, added = 2);
    site.platz
        .rows
        .batch_execute("INSERT INTO helm_tag_formats (pattern) VALUES ('^2(?P<version>.*)$')")
        .await
        .unwrap();
    let url = ("DATABASE_URL", site.platz.database.url());
    let parser = ("ENABLE_TAG_PARSER", "true");
    let tags = tests::function::Function::start("tag-parser", &[url, parser]).await.unwrap();
    assert_summary!(tags.invoke(&serde_json::json!({})).await.unwrap(), complete = true);

    let admin = Admin::start(&[url, parser]).await.unwrap();
    for path in [
        "helm-registries",
        "helm-charts",
        "helm-charts?parsed_branch=main",
        "deployment-kinds",
        "helm-tag-formats",
        "discovery-instances",
    ] {
        let address = format!("{}/api/v2/{path}", admin.url());
        let (status, body) = read(client().get(address).send().await.unwrap()).await;
        assert_eq!(status, 200, "{path}: {body}");
    }
}

#[tokio::test]
async fn a_chart_that_is_read_again_looks_as_if_platz_had_read_it() {
    let site = PlatzSite::new().await;
    site.repository("team/orders-chart", "Orders").await;
    let digest = site.push("team/orders-chart", "1.2.3", "x").await;
    let fault = "Expected exactly one folder after exporting chart, found 0";
    let id = site.broken("team/orders-chart", "1.2.3", digest.as_str(), fault).await;
    site.adopt().await;
    let function = site.stack.oci_poll_with(&[("ENABLE_TAG_PARSER", "true")]).await;
    let rescan = json!({"repository": "team/orders-chart", "tag": "1.2.3"});
    let payload = json!({"instance": site.stack.instance(), "rescan": rescan});
    function.invoke(&payload).await.unwrap();
    let row = "SELECT concat_ws(' ', available, error, tag_format_id IS NOT NULL, parsed_version,
            coalesce(parsed_revision, 'no revision'), '[' || parsed_branch || ']')
        FROM helm_charts WHERE id::text = $1";
    let row: String = site.platz.rows.query_one(row, &[&id]).await.unwrap().get(0);
    assert_eq!(row, "t t 1.2.3 no revision []");
}
