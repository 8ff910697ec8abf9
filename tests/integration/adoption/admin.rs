//! The admin API and the pages on a database of Platz's.

use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use tests::admin::Admin;
use tests::browser::Browser;

use crate::support::admin_site::{client, read};
use crate::support::assert_summary::assert_summary;
use crate::support::platz::PlatzDatabase;
use crate::support::stack::count;
use crate::support::walk::pictures;

/// The kind `Orders`, with the deployment `orders`.
const ORDERS: &str = "deployment-kinds/d0000000-0000-4000-8000-000000000001";

/// The registry whose chart `orders` runs.
const ORDERS_REGISTRY: &str = "helm-registries/a0000000-0000-4000-8000-000000000001";

const PAYMENTS_KIND: &str = "d0000000-0000-4000-8000-000000000002";

/// Adopts a database of Platz's, and starts `admin` on it.
async fn adopted() -> (PlatzDatabase, Admin) {
    let platz = PlatzDatabase::new().await;
    platz.adopt().await;
    let admin = Admin::start(&[("DATABASE_URL", platz.database.url())]).await.unwrap();
    (platz, admin)
}

async fn put(admin: &Admin, path: &str, body: &Value) -> (u16, Value) {
    let request = client().put(format!("{}/api/v2/{path}", admin.url()));
    let request = request.header("content-type", "application/json").body(body.to_string());
    read(request.send().await.unwrap()).await
}

async fn page(admin: &Admin, path: &str) -> String {
    let answer = client().get(format!("{}/admin/{path}", admin.url())).send().await.unwrap();
    answer.text().await.unwrap()
}

/// Sends a form of a page, with a token as the page has it.
async fn submit(admin: &Admin, path: &str, fields: &str) -> (u16, String) {
    let address = format!("{}/admin/{path}", admin.url());
    let page = client().get(format!("{}/admin/kinds", admin.url())).send().await.unwrap();
    let cookie = page.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
    let (_, token) = cookie.split_once('=').unwrap();
    let request = client().post(address).header(COOKIE, cookie);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(format!("csrf={token}&{fields}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn tag_format_that_charts_refer_to_is_not_deleted() {
    let platz = PlatzDatabase::new().await;
    platz.adopt().await;
    let contents = platz.contents().await;
    let admin = Admin::start(&[("DATABASE_URL", platz.database.url())]).await.unwrap();
    let format = "f0000000-0000-4000-8000-000000000001";
    let address = format!("{}/api/v2/helm-tag-formats/{format}", admin.url());
    let (status, problem) = read(client().delete(address).send().await.unwrap()).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem.to_string().contains("3 charts were parsed with this tag format"), "{problem}");
    assert_eq!(platz.contents().await, contents);
}

#[tokio::test]
async fn kind_with_deployments_is_renamed_after_a_confirmation() {
    let (platz, admin) = adopted().await;
    let contents = platz.contents().await;
    let name = json!({"name": "Shop"});
    let (status, problem) = put(&admin, ORDERS, &name).await;
    assert_eq!(status, 409, "{problem}");
    let needed = json!({
        "parameter": "confirm=true",
        "deployments": {"total": 1, "names": ["orders"]},
    });
    assert_summary!(problem, field = "confirm", needs_confirmation = needed);
    assert!(problem["detail"].as_str().unwrap().contains("orders"), "{problem}");
    assert_eq!(platz.contents().await, contents);
    let (status, same) = put(&admin, ORDERS, &json!({"name": "Orders"})).await;
    assert_eq!(status, 200, "the name stays: {same}");
    let (status, kind) = put(&admin, &format!("{ORDERS}?confirm=true"), &name).await;
    assert_eq!((status, &kind["name"]), (200, &json!("Shop")), "{kind}");
}

#[tokio::test]
async fn registry_of_deployed_charts_is_moved_after_a_confirmation() {
    let (platz, admin) = adopted().await;
    let more = "INSERT INTO deployments (name, kind_id, env_id, helm_chart_id)
        SELECT 'orders-' || n, kind_id, env_id, helm_chart_id
        FROM deployments, generate_series(1, 6) AS n WHERE name = 'orders'";
    platz.rows.batch_execute(more).await.unwrap();
    let kind = json!({"kind_id": PAYMENTS_KIND});
    let (status, problem) = put(&admin, ORDERS_REGISTRY, &kind).await;
    assert_eq!(status, 409, "{problem}");
    let deployments = &problem["needs_confirmation"]["deployments"];
    let names = ["orders", "orders-1", "orders-2", "orders-3", "orders-4"];
    assert_eq!(deployments, &json!({"total": 7, "names": names}));
    assert!(problem["detail"].as_str().unwrap().contains("orders-4 and 2 more"), "{problem}");
    let (status, icon) = put(&admin, ORDERS_REGISTRY, &json!({"fa_icon": "rocket"})).await;
    assert_eq!(status, 200, "an icon concerns no deployment: {icon}");
    let (status, moved) = put(&admin, &format!("{ORDERS_REGISTRY}?confirm=true"), &kind).await;
    assert_eq!((status, &moved["kind_id"]), (200, &json!(PAYMENTS_KIND)), "{moved}");
}

#[tokio::test]
async fn forms_ask_for_a_confirmation() {
    let (platz, admin) = adopted().await;
    let confirm = "name=\"confirm\" value=\"true\"";
    let kind = ORDERS.replace("deployment-kinds", "kinds");
    let registry = format!("{ORDERS_REGISTRY}/kind");
    for (path, fields, button) in [
        (&kind, "name=Shop", "Rename all the same"),
        (&registry, "kind=MyOrg%2FPaymentsApi", "Change all the same"),
    ] {
        let (status, page) = submit(&admin, path, fields).await;
        assert_eq!(status, 409, "{page}");
        assert!(page.contains(": orders.") && page.contains(button), "{page}");
        assert!(page.contains(confirm), "{page}");
        let (status, page) = submit(&admin, path, &format!("{fields}&confirm=true")).await;
        assert_eq!(status, 303, "{page}");
    }
    let changed = "SELECT count(*) FROM deployment_kinds AS kind, helm_registries AS registry
        WHERE kind.name = 'Shop' AND registry.repo_name = 'my-org/orders-chart'
        AND registry.kind_id = 'd0000000-0000-4000-8000-000000000002'";
    assert_eq!(count(&platz.rows, changed).await, 1);
}

#[tokio::test]
async fn pages_say_whose_tables_they_show() {
    let (platz, admin) = adopted().await;
    let kind = ORDERS.replace("deployment-kinds", "kinds");
    for path in ["kinds", &kind, "helm-registries", "tag-formats"] {
        let page = page(&admin, path).await;
        let owner = "belong to the Platz backend in schema <code>public</code>";
        assert!(page.contains(owner), "{path}: {page}");
    }
    assert!(page(&admin, "tag-formats").await.contains("the newest first, as Platz does"));
    let waiting = "INSERT INTO discovery_instances (name, provider, source, last_summary)
        VALUES ('ecr', 'ecr', 'us-east-1', '{\"wouldAdd\": 412}')";
    platz.rows.batch_execute(waiting).await.unwrap();
    let instances = page(&admin, "instances").await;
    assert!(instances.contains("would add at most 412 charts"), "{instances}");
}

#[tokio::test]
async fn pages_over_our_own_tables_name_no_owner() {
    let database = tests::postgres::TestDatabase::create().await.unwrap();
    let admin = Admin::start(&[("DATABASE_URL", database.url())]).await.unwrap();
    for path in ["kinds", "helm-registries", "tag-formats"] {
        let page = page(&admin, path).await;
        assert!(!page.contains("Platz"), "{path}: {page}");
    }
    assert!(page(&admin, "tag-formats").await.contains("the oldest first"));
}

#[tokio::test]
async fn rename_takes_a_second_click_in_a_browser() {
    let (platz, admin) = adopted().await;
    let waiting = "INSERT INTO discovery_instances (name, provider, source, last_summary)
        VALUES ('ecr', 'ecr', 'us-east-1', '{\"added\": 2, \"wouldAdd\": 412}')";
    platz.rows.batch_execute(waiting).await.unwrap();
    let browser = Browser::start().await.unwrap();
    for name in ["tag-formats", "instances"] {
        browser.open(&format!("{}/admin/{name}", admin.url())).await.unwrap();
        browser.picture(&pictures(), &format!("platz-{name}")).await.unwrap();
    }
    let kind = ORDERS.replace("deployment-kinds", "kinds");
    browser.open(&format!("{}/admin/{kind}", admin.url())).await.unwrap();
    let button = "[aria-labelledby=rename] button";
    browser.fill("input[name=name]", "Shop").await.unwrap();
    browser.click(button).await.unwrap();
    browser.wait_for(".notice.bad", |found| !found.is_empty()).await.unwrap();
    assert_eq!(browser.texts("h1").await.unwrap(), ["Orders"]);
    browser.picture(&pictures(), "platz-confirm").await.unwrap();
    browser.click(button).await.unwrap();
    browser.wait_for(".notice.good", |found| !found.is_empty()).await.unwrap();
    assert_eq!(browser.texts("h1").await.unwrap(), ["Shop"]);
}
