//! Changes made through the API of `admin`: their effects, and their records.

use reqwest::Method;
use serde_json::{Value, json};
use tests::admin::Admin;

use crate::support::admin_site::{
    API, API_REGISTRY, Site, WEB, WEB_REGISTRY, read, until, until_less,
};
use crate::support::assert_summary::assert_summary;
use crate::support::stack::count;

#[tokio::test]
async fn icon_of_a_registry_shows_on_its_kind() {
    let site = Site::new().await;
    let registry = format!("helm-registries/{API_REGISTRY}");
    let (status, changed) = site.send(Method::PUT, &registry, json!({"fa_icon": "rocket"})).await;
    assert_eq!(status, 200, "{changed}");
    assert_summary!(changed, fa_icon = "rocket", kind_id = API);
    assert_eq!(site.get(&format!("deployment-kinds/{API}")).await.1["fa_icon"], "rocket");
}

#[tokio::test]
async fn kind_without_an_icon_gets_that_of_a_registry_that_joins() {
    let site = Site::new().await;
    let registry = format!("helm-registries/{API_REGISTRY}");
    let web = format!("helm-registries/{WEB_REGISTRY}");
    site.send(Method::PUT, &registry, json!({"fa_icon": "rocket"})).await;
    let (_, changed) = site.send(Method::PUT, &registry, json!({"kind_id": WEB})).await;
    assert_summary!(changed, kind = "web", fa_icon = "rocket");
    let (_, kind) = site.get(&format!("deployment-kinds/{WEB}")).await;
    assert_summary!(kind, fa_icon = "rocket", registries = 2);
    site.send(Method::PUT, &web, json!({"fa_icon": "globe", "kind_id": API})).await;
    assert_eq!(site.get(&format!("deployment-kinds/{API}")).await.1["fa_icon"], "globe");
    assert_eq!(site.get(&format!("deployment-kinds/{WEB}")).await.1["fa_icon"], "rocket");
}

#[tokio::test]
async fn repeated_change_writes_nothing() {
    let site = Site::new().await;
    let web = format!("helm-registries/{WEB_REGISTRY}");
    let globe = json!({"fa_icon": "globe", "kind_id": API});
    site.send(Method::PUT, &web, globe.clone()).await;
    let written = "SELECT sum(xmin::text::bigint)::bigint FROM helm_registries";
    let before = count(&site.rows, written).await;
    for body in [json!({}), globe] {
        assert_eq!(site.send(Method::PUT, &web, body.clone()).await.0, 200, "{body}");
    }
    assert_eq!(count(&site.rows, written).await, before);
}

#[tokio::test]
async fn changes_are_logged_with_the_user() {
    let site = Site::new().await;
    change_icons_kinds_and_a_name(&site).await;
    let log = site.admin.log().concat();
    for logged in [
        r#"\"fa_icon\":\"question\""#,
        r#"\"kind_fa_icon\":\"rocket\""#,
        "Payments",
        r#""user":"local""#,
    ] {
        assert!(log.contains(logged), "{logged} is not in the log");
    }
}

#[tokio::test]
async fn only_real_changes_are_logged_and_recorded() {
    let site = Site::new().await;
    change_icons_kinds_and_a_name(&site).await;
    let logged =
        || site.admin.log().iter().filter(|line| line.contains("\"message\":\"changed\"")).count();
    let before = logged();
    // The registry may have the icon already while its kind does not. The last request changes
    // nothing.
    for (registry, body) in [
        (API_REGISTRY, json!({"fa_icon": "anchor"})),
        (WEB_REGISTRY, json!({"kind_id": WEB})),
        (WEB_REGISTRY, json!({"fa_icon": "globe"})),
        (WEB_REGISTRY, json!({"fa_icon": "globe"})),
    ] {
        site.send(Method::PUT, &format!("helm-registries/{registry}"), body).await;
    }
    assert_eq!(logged(), before + 3);

    let kinds = "SELECT count(*) FROM admin_changes WHERE object_type = 'deployment_kind' AND \
                 after ? 'fa_icon'";
    assert_eq!(count(&site.rows, kinds).await, 5, "each icon of a kind is recorded for the kind");
    let sql = "SELECT concat_ws(' ', user_name, object_type, before, after) FROM admin_changes
        WHERE NOT coalesce(after ? 'fa_icon', false) OR object_type = 'helm_registry' ORDER BY id";
    let recorded: Vec<String> =
        site.rows.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(recorded.len(), logged());
    assert_eq!(recorded[3], r#"local deployment_kind {"name": "api"} {"name": "Payments"}"#);
    let icons = [
        r#""fa_icon": "globe", "kind_fa_icon": "anchor""#,
        r#""fa_icon": "globe", "kind_fa_icon": "globe""#,
    ];
    assert!(icons.iter().all(|icons| recorded.last().unwrap().contains(icons)), "{recorded:?}");
}

/// Gives both registries an icon, swaps their kinds, and renames a kind. Checks that spaces around
/// the new name are removed.
async fn change_icons_kinds_and_a_name(site: &Site) {
    for (registry, body) in [
        (API_REGISTRY, json!({"fa_icon": "rocket"})),
        (API_REGISTRY, json!({"kind_id": WEB})),
        (WEB_REGISTRY, json!({"fa_icon": "globe", "kind_id": API})),
    ] {
        site.send(Method::PUT, &format!("helm-registries/{registry}"), body).await;
    }
    let kind = format!("deployment-kinds/{API}");
    let (_, kind) = site.send(Method::PUT, &kind, json!({"name": "  Payments "})).await;
    assert_eq!(kind["name"], "Payments");
}

#[tokio::test]
async fn concurrent_changes_of_a_registry_are_serialized() {
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
async fn interrupted_deletion_of_a_tag_format_is_undone() {
    let Site { database, rows, admin, http } = Site::new().await;
    let pattern = "^(?P<branch>[a-z]+)-(?P<revision>[0-9]+)$";
    let fill = format!(
        "INSERT INTO helm_tag_formats (pattern) VALUES ('{pattern}');
        INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag)
        SELECT now(), '{API_REGISTRY}', 'sha256:' || n, 'main-' || n FROM generate_series(1, \
         30000) AS n"
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
    // The second deletion is not interrupted.
    let deleted =
        http.delete(format!("{}/api/v2/helm-tag-formats/{id}", admin.url())).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    until(&rows, "SELECT count(*) FROM helm_charts WHERE parsed_branch = 'main'", 0).await;
    assert_eq!(count(&rows, "SELECT count(*) FROM admin_changes WHERE after IS NULL").await, 1);
}

/// A pattern that takes the tag `main-7` apart.
const PATTERN: &str = r"^(?P<branch>[a-z]+)-(?P<revision>\d+)$";

#[tokio::test]
async fn tag_format_is_previewed() {
    let site = Site::new().await;
    let body = json!({"pattern": PATTERN});
    let (_, preview) = site.send(Method::POST, "helm-tag-formats/preview", body).await;
    let tag = json!({"tag": "main-7", "version": null, "revision": "7", "branch": "main",
        "commit": null, "shadowedBy": null});
    assert_eq!(preview, json!({"matches": [tag], "matched": 1, "newlyMatched": 1}));
}

#[tokio::test]
async fn added_tag_format_parses_the_tags() {
    let site = Site::new().await;
    let path = add_format(&site).await;
    let body = json!({"pattern": PATTERN});
    assert_eq!(site.send(Method::POST, "helm-tag-formats", body).await.0, 409);
    until(&site.rows, PARSED, 5).await;
    let (_, charts) = site.get("helm-charts?text=main-7").await;
    assert_summary!(charts["items"][0], parsed_branch = "main", parsed_revision = "7");
    assert_eq!(site.get(&path).await.1["charts"], 1);
}

#[tokio::test]
async fn deleted_tag_format_parses_no_tag_any_more() {
    let site = Site::new().await;
    let path = add_format(&site).await;
    until(&site.rows, PARSED, 5).await;
    let deleted = site.http.delete(site.url(&path)).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    until(&site.rows, PARSED, 5).await;
    let (_, charts) = site.get("helm-charts?text=main-7").await;
    let none = Value::Null;
    assert_summary!(charts["items"][0], parsed_branch = none, tag_format_id = none);
    assert_eq!(site.get(&path).await.0, 404);
}

/// Counts the charts whose tags were parsed with the current formats.
const PARSED: &str = "SELECT count(*) FROM helm_chart_details, helm_tag_formats_version
    WHERE parsed_with = version";

/// Adds the format, and returns its path in the API.
async fn add_format(site: &Site) -> String {
    let added =
        site.http.post(site.url("helm-tag-formats")).header("content-type", "application/json");
    let body = json!({"pattern": PATTERN}).to_string();
    let added = added.body(body).send().await.unwrap();
    let location = added.headers()["location"].to_str().unwrap().to_owned();
    let (status, format) = read(added).await;
    assert_eq!(status, 201, "{format}");
    assert_eq!(format["pattern"], PATTERN, "{format}");
    assert_eq!(location, format!("/api/v2/helm-tag-formats/{}", format["id"].as_str().unwrap()));
    location.trim_start_matches("/api/v2/").to_owned()
}
