//! What can be changed by the API of `admin`: what follows from it, and who is told.

use reqwest::Method;
use serde_json::{Value, json};
use tests::admin::Admin;

use crate::support::admin_site::{
    API, API_REGISTRY, Site, WEB, WEB_REGISTRY, read, until, until_less,
};
use crate::support::assert_summary::assert_summary;
use crate::support::stack::count;

#[tokio::test]
async fn an_icon_shows_on_the_kind_and_a_registry_can_feed_another() {
    let site = Site::new().await;
    let registry = format!("helm-registries/{API_REGISTRY}");
    let (status, changed) = site.send(Method::PUT, &registry, json!({"fa_icon": "rocket"})).await;
    assert_eq!(
        (status, &changed["fa_icon"], &changed["kind_id"]),
        (200, &json!("rocket"), &json!(API))
    );
    assert_eq!(site.get(&format!("deployment-kinds/{API}")).await.1["fa_icon"], "rocket");

    // A kind with an icon keeps it; one without gets that of the registry.
    let (_, changed) = site.send(Method::PUT, &registry, json!({"kind_id": WEB})).await;
    assert_summary!(changed, kind = "web", fa_icon = "rocket");
    let (_, kind) = site.get(&format!("deployment-kinds/{WEB}")).await;
    assert_summary!(kind, fa_icon = "rocket", registries = 2);
    let web = format!("helm-registries/{WEB_REGISTRY}");
    site.send(Method::PUT, &web, json!({"fa_icon": "globe", "kind_id": API})).await;
    assert_eq!(site.get(&format!("deployment-kinds/{API}")).await.1["fa_icon"], "globe");
    assert_eq!(site.get(&format!("deployment-kinds/{WEB}")).await.1["fa_icon"], "rocket");

    // Nothing to do is no change; the same again is the same.
    let before =
        count(&site.rows, "SELECT sum(xmin::text::bigint)::bigint FROM helm_registries").await;
    for body in [json!({}), json!({"fa_icon": "globe", "kind_id": API})] {
        assert_eq!(site.send(Method::PUT, &web, body).await.0, 200);
    }
    assert_eq!(
        count(&site.rows, "SELECT sum(xmin::text::bigint)::bigint FROM helm_registries").await,
        before
    );

    let (_, kind) = site
        .send(Method::PUT, &format!("deployment-kinds/{API}"), json!({"name": "  Payments "}))
        .await;
    assert_eq!(kind["name"], "Payments");
    let log = site.admin.log().concat();
    for told in [
        r#"\"fa_icon\":\"question\""#,
        r#"\"kind_fa_icon\":\"rocket\""#,
        "Payments",
        r#""user":"local""#,
    ] {
        assert!(log.contains(told), "{told} is not in the log");
    }
    // An icon that the registry has already may still be new to the kind; and what changes nothing
    // is not told.
    let changes =
        || site.admin.log().iter().filter(|line| line.contains("\"message\":\"changed\"")).count();
    let before = changes();
    site.send(Method::PUT, &registry, json!({"fa_icon": "anchor"})).await;
    site.send(Method::PUT, &web, json!({"kind_id": WEB})).await;
    site.send(Method::PUT, &web, json!({"fa_icon": "globe"})).await;
    site.send(Method::PUT, &web, json!({"fa_icon": "globe"})).await;
    assert_eq!(changes(), before + 3);
    // The same is in the table, and only what was changed.
    let kinds = "SELECT count(*) FROM admin_changes WHERE object_type = 'deployment_kind' AND \
                 after ? 'fa_icon'";
    assert_eq!(count(&site.rows, kinds).await, 5, "the icon of a kind is told of the kind");
    let sql = "SELECT concat_ws(' ', user_name, object_type, before, after) FROM admin_changes
        WHERE NOT coalesce(after ? 'fa_icon', false) OR object_type = 'helm_registry' ORDER BY id";
    let told: Vec<String> =
        site.rows.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(told.len(), changes());
    assert_eq!(told[3], r#"local deployment_kind {"name": "api"} {"name": "Payments"}"#);
    let icons = [
        r#""fa_icon": "globe", "kind_fa_icon": "anchor""#,
        r#""fa_icon": "globe", "kind_fa_icon": "globe""#,
    ];
    assert!(icons.iter().all(|icons| told.last().unwrap().contains(icons)), "{told:?}");
}

#[tokio::test]
async fn changes_at_the_same_moment_are_made_one_after_the_other() {
    let site = Site::new().await;
    let others =
        [&site.admin, &Admin::start(&[("DATABASE_URL", site.database.url())]).await.unwrap()];
    let changes = (0..60).map(|n| {
        let url = format!("{}/api/v2/helm-registries/{API_REGISTRY}", others[n % 2].url());
        let icon = ["rocket", "cube", "globe"][n % 3];
        let body = json!({"fa_icon": icon}).to_string();
        let request = site.http.put(url).header("content-type", "application/json").body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let statuses = futures_util::future::join_all(changes).await;
    assert_eq!(statuses, vec![200; 60]);
    let (_, registry) = site.get(&format!("helm-registries/{API_REGISTRY}")).await;
    assert_eq!(registry["fa_icon"], registry["kind_fa_icon"]);
}

#[tokio::test]
async fn a_deletion_that_ends_half_way_leaves_no_row_wrong() {
    let Site { database, rows, admin, http } = Site::new().await;
    let pattern = "^(?P<branch>[a-z]+)-(?P<revision>[0-9]+)$";
    let fill = format!(
        "INSERT INTO helm_tag_formats (pattern) VALUES ('{pattern}');
        INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag, chart_name)
        SELECT now(), '{API_REGISTRY}', 'sha256:' || n, 'main-' || n, 'api' FROM \
        generate_series(1, 30000) AS n"
    );
    rows.batch_execute(&fill).await.unwrap();
    let right = "SELECT count(*) FROM helm_charts WHERE image_tag LIKE 'main-%' AND parsed_branch \
                 = 'main' \
                 AND tag_format_id IS NOT NULL";
    drop(admin);
    let settings = [("DATABASE_URL", database.url()), ("ENABLE_TAG_PARSER", "true")];
    let admin = Admin::start(&settings).await.unwrap();
    until(&rows, right, 30_001).await;
    let (id, url): (uuid::Uuid, _) = (
        rows.query_one("SELECT id FROM helm_tag_formats", &[]).await.unwrap().get(0),
        admin.url().to_owned(),
    );
    let request = http.delete(format!("{url}/api/v2/helm-tag-formats/{id}")).send();
    tokio::select! {
        ended = request => panic!("{ended:?}"),
        () = until_less(&rows, right, 30_001) => drop(admin),
    }
    assert_eq!(count(&rows, "SELECT count(*) FROM helm_tag_formats").await, 1);
    let admin = Admin::start(&settings).await.unwrap();
    until(&rows, right, 30_001).await;
    // Again, and to its end.
    let deleted =
        http.delete(format!("{}/api/v2/helm-tag-formats/{id}", admin.url())).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    until(&rows, "SELECT count(*) FROM helm_charts WHERE parsed_branch = 'main'", 0).await;
    assert_eq!(count(&rows, "SELECT count(*) FROM admin_changes WHERE after IS NULL").await, 1);
}

#[tokio::test]
async fn tag_formats_are_tried_added_and_deleted() {
    let site = Site::new().await;
    let pattern = r"^(?P<branch>[a-z]+)-(?P<revision>\d+)$";
    let body = json!({"pattern": pattern});
    let (_, preview) = site.send(Method::POST, "helm-tag-formats/preview", body.clone()).await;
    let tag = json!({"tag": "main-7", "version": null, "revision": "7", "branch": "main", "commit":
        null, "shadowedBy": null});
    assert_eq!(preview, json!({"matches": [tag], "matched": 1, "newlyMatched": 1}));

    let added =
        site.http.post(site.url("helm-tag-formats")).header("content-type", "application/json");
    let added = added.body(body.to_string()).send().await.unwrap();
    let location = added.headers()["location"].to_str().unwrap().to_owned();
    let (status, format) = read(added).await;
    assert_eq!((status, &format["pattern"]), (201, &json!(pattern)));
    assert_eq!(location, format!("/api/v2/helm-tag-formats/{}", format["id"].as_str().unwrap()));
    assert_eq!(site.send(Method::POST, "helm-tag-formats", body).await.0, 409);

    let parsed =
        "SELECT count(*) FROM helm_charts, helm_tag_formats_version WHERE parsed_with = version";
    until(&site.rows, parsed, 5).await;
    let told =
        async |column| site.get("helm-charts?text=main-7").await.1["items"][0][column].clone();
    assert_eq!(
        (told("parsed_branch").await, told("parsed_revision").await),
        (json!("main"), json!("7"))
    );
    let path = location.trim_start_matches("/api/v2/").to_owned();
    assert_eq!(site.get(&path).await.1["charts"], 1);

    // In use, and deleted.
    let deleted = site.http.delete(site.url(&path)).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    until(&site.rows, parsed, 5).await;
    assert_eq!(
        (told("parsed_branch").await, told("tag_format_id").await),
        (Value::Null, Value::Null)
    );
    assert_eq!(site.get(&path).await.0, 404);
}
