//! The API of `admin`: shapes, filters, changes, and what becomes of requests that are wrong.

use std::sync::Arc;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tests::admin::Admin;
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::postgres::TestDatabase;

use crate::bed::count;

/// A client that follows no redirect.
pub(crate) fn client() -> Client {
    let tls = shared::tls::client_config(None).unwrap();
    Client::builder().tls_backend_preconfigured(tls).redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Two kinds with a registry each; of the first registry four charts: 1.0.0 and 1.1.0, main-7 deleted, 0.9.0 broken.
const ROWS: &str = "\
INSERT INTO k8s_deployment_kinds (id, name) VALUES
    ('00000000-0000-0000-0000-00000000000a', 'api'), ('00000000-0000-0000-0000-00000000000b', 'web');
INSERT INTO helm_registries (id, created_at, domain_name, repo_name, kind_id, provider) VALUES
    ('00000000-0000-0000-0000-0000000000a1', '2026-11-01', 'https://ghcr.io', 'team/api',
        '00000000-0000-0000-0000-00000000000a', 'Oci'),
    ('00000000-0000-0000-0000-0000000000b1', '2026-11-02', '123456789012.dkr.ecr.us-east-1.amazonaws.com', 'web',
        '00000000-0000-0000-0000-00000000000b', 'Ecr');
INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag, available, error, chart_name, values_ui)
SELECT '2026-11-03'::timestamptz + n * interval '1 hour', '00000000-0000-0000-0000-0000000000a1',
    'sha256:' || md5(tag) || md5(tag), tag, tag <> 'main-7', CASE WHEN tag = '0.9.0' THEN 'no Chart.yaml' END, 'api',
    '{\"a\": 1}'
FROM unnest(ARRAY['0.9.0', '1.0.0', 'main-7', '1.1.0']) WITH ORDINALITY AS tags (tag, n);
INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag, chart_name, git_branch)
VALUES ('2026-11-02', '00000000-0000-0000-0000-0000000000b1', 'sha256:00', '2.0.0', 'web', 'trunk');
INSERT INTO discovery_instances (name, provider, source, last_summary) VALUES ('ghcr', 'oci', 'https://ghcr.io', '{}');";

const API: &str = "00000000-0000-0000-0000-00000000000a";
const WEB: &str = "00000000-0000-0000-0000-00000000000b";
const API_REGISTRY: &str = "00000000-0000-0000-0000-0000000000a1";
const WEB_REGISTRY: &str = "00000000-0000-0000-0000-0000000000b1";
const NOBODY: &str = "00000000-0000-0000-0000-00000000dead";

struct Site {
    database: TestDatabase,
    rows: tokio_postgres::Client,
    admin: Admin,
    http: Client,
}

impl Site {
    async fn new() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let rows = database.connect().await.unwrap();
        rows.batch_execute(ROWS).await.unwrap();
        let admin = Admin::start(&[("DATABASE_URL", database.url()), ("ENABLE_TAG_PARSER", "true")]).await.unwrap();
        Self { database, rows, admin, http: client() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v2/{path}", self.admin.url())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        read(self.http.get(self.url(path)).send().await.unwrap()).await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method, self.url(path)).header("content-type", "application/json");
        read(request.body(body.to_string()).send().await.unwrap()).await
    }

    /// One column of a list.
    async fn column(&self, path: &str, column: &str) -> Vec<String> {
        let (status, list) = self.get(path).await;
        assert_eq!(status, 200, "{list}");
        list["items"].as_array().unwrap().iter().map(|item| item[column].as_str().unwrap().to_owned()).collect()
    }
}

async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, if status < 400 { "application/json" } else { "application/problem+json" });
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    if status >= 400 {
        assert_eq!((&body["type"], &body["status"]), (&json!("about:blank"), &json!(status)), "{body}");
        assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{body}");
    }
    (status, body)
}

#[tokio::test]
async fn lists_come_in_pages_and_are_filtered() {
    let site = Site::new().await;
    let (_, list) = site.get("helm-charts?per_page=2&page=2").await;
    assert_eq!((&list["page"], &list["per_page"], &list["num_total"]), (&json!(2), &json!(2), &json!(5)));
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert!(list["items"][0].get("values_ui").is_none(), "documents are for the chart alone");
    for (filter, tags) in [
        ("", &["1.1.0", "main-7", "1.0.0", "0.9.0", "2.0.0"][..]),
        ("page=9", &[]),
        (&format!("helm_registry_id={API_REGISTRY}"), &["1.1.0", "main-7", "1.0.0", "0.9.0"]),
        ("kind=web", &["2.0.0"]),
        (&format!("kind_id={WEB}"), &["2.0.0"]),
        (&format!("kind_id={API}&kind=web"), &[]),
        ("kind=nothing", &[]),
        ("available=false", &["main-7"]),
        ("available=true&kind=api", &["1.1.0", "1.0.0", "0.9.0"]),
        ("broken=true", &["0.9.0"]),
        ("broken=false&kind=web", &["2.0.0"]),
        ("broken=true&kind=api&available=true&text=0&page=1", &["0.9.0"]),
        ("parsed_branch=trunk", &["2.0.0"]),
        ("text=1.", &["1.1.0", "1.0.0"]),
        ("text=%25", &[]),
        ("text=main_7", &[]),
        ("text=sha256:00", &["2.0.0"]),
    ] {
        assert_eq!(site.column(&format!("helm-charts?{filter}"), "image_tag").await, tags, "{filter}");
    }
    for (filter, repositories) in [
        ("", &["web", "team/api"][..]),
        ("text=TEAM", &["team/api"]),
        ("text=amazonaws", &["web"]),
        ("text=_", &[]),
        ("provider=Oci", &["team/api"]),
        ("kind=web", &["web"]),
        (&format!("kind_id={API}"), &["team/api"]),
        ("repo_name=api", &[]),
        ("repo_name=web", &["web"]),
    ] {
        assert_eq!(site.column(&format!("helm-registries?{filter}"), "repo_name").await, repositories, "{filter}");
    }
    assert_eq!(site.column("deployment-kinds", "name").await, ["api", "web"]);
    assert_eq!(site.column("deployment-kinds?text=E", "name").await, ["web"]);
    assert_eq!(site.column("deployment-kinds?name=ap", "name").await, Vec::<String>::new());
    assert_eq!(site.column("discovery-instances", "name").await, ["ghcr"]);
}

#[tokio::test]
async fn a_row_is_what_the_predecessors_programs_expect() {
    let site = Site::new().await;
    let (_, registry) = site.get(&format!("helm-registries/{API_REGISTRY}")).await;
    assert_eq!(
        registry,
        json!({
            "id": API_REGISTRY, "created_at": "2026-11-01T00:00:00Z", "domain_name": "https://ghcr.io",
            "repo_name": "team/api", "kind_id": API, "kind": "api", "available": true, "fa_icon": "question",
            "kind_fa_icon": null, "provider": "Oci", "charts": 4, "last_pushed_at": "2026-11-03T04:00:00Z",
        })
    );
    let (_, charts) = site.get("helm-charts?available=false").await;
    // Deleted, and not refused.
    let id = charts["items"][0]["id"].as_str().unwrap();
    let (status, chart) = site.get(&format!("helm-charts/{id}")).await;
    assert_eq!((status, &chart["available"], &chart["values_ui"]), (200, &json!(false), &json!({"a": 1})));
    let mut columns: Vec<&String> = chart.as_object().unwrap().keys().collect();
    columns.sort();
    insta::assert_json_snapshot!(columns);
    let moved = "INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag) \
                 SELECT now(), helm_registry_id, 'sha256:new', image_tag FROM helm_charts WHERE image_tag = 'main-7'";
    site.rows.batch_execute(moved).await.unwrap();
    assert_eq!(site.get(&format!("helm-charts/{id}")).await.1["moved_to"], "sha256:new");
}

#[tokio::test]
async fn an_icon_shows_on_the_kind_and_a_registry_can_feed_another() {
    let site = Site::new().await;
    let registry = format!("helm-registries/{API_REGISTRY}");
    let (status, changed) = site.send(Method::PUT, &registry, json!({"fa_icon": "rocket"})).await;
    assert_eq!((status, &changed["fa_icon"], &changed["kind_id"]), (200, &json!("rocket"), &json!(API)));
    assert_eq!(site.get(&format!("deployment-kinds/{API}")).await.1["fa_icon"], "rocket");

    // A kind with an icon keeps it; one without gets that of the registry.
    let (_, changed) = site.send(Method::PUT, &registry, json!({"kind_id": WEB})).await;
    assert_eq!((&changed["kind"], &changed["fa_icon"]), (&json!("web"), &json!("rocket")));
    let (_, kind) = site.get(&format!("deployment-kinds/{WEB}")).await;
    assert_eq!((&kind["fa_icon"], &kind["registries"]), (&json!("rocket"), &json!(2)));
    let web = format!("helm-registries/{WEB_REGISTRY}");
    site.send(Method::PUT, &web, json!({"fa_icon": "globe", "kind_id": API})).await;
    assert_eq!(site.get(&format!("deployment-kinds/{API}")).await.1["fa_icon"], "globe");
    assert_eq!(site.get(&format!("deployment-kinds/{WEB}")).await.1["fa_icon"], "rocket");

    // Nothing to do is no change; the same again is the same.
    let before = count(&site.rows, "SELECT sum(xmin::text::bigint)::bigint FROM helm_registries").await;
    for body in [json!({}), json!({"fa_icon": "globe", "kind_id": API})] {
        assert_eq!(site.send(Method::PUT, &web, body).await.0, 200);
    }
    assert_eq!(count(&site.rows, "SELECT sum(xmin::text::bigint)::bigint FROM helm_registries").await, before);

    let (_, kind) = site.send(Method::PUT, &format!("deployment-kinds/{API}"), json!({"name": "  Payments "})).await;
    assert_eq!(kind["name"], "Payments");
    let log = site.admin.log().concat();
    for told in [r#"\"fa_icon\":\"question\""#, r#"\"kind_fa_icon\":\"rocket\""#, "Payments", r#""user":"local""#] {
        assert!(log.contains(told), "{told} is not in the log");
    }
    // An icon that the registry has already may still be new to the kind; and what changes nothing is not told.
    let changes = || site.admin.log().iter().filter(|line| line.contains("\"message\":\"changed\"")).count();
    let before = changes();
    site.send(Method::PUT, &registry, json!({"fa_icon": "anchor"})).await;
    site.send(Method::PUT, &web, json!({"kind_id": WEB})).await;
    site.send(Method::PUT, &web, json!({"fa_icon": "globe"})).await;
    site.send(Method::PUT, &web, json!({"fa_icon": "globe"})).await;
    assert_eq!(changes(), before + 3);
    // The same is in the table, and only what was changed.
    let sql = "SELECT concat_ws(' ', user_name, object_type, before, after) FROM admin_changes ORDER BY id";
    let told: Vec<String> = site.rows.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(told.len(), changes());
    assert_eq!(told[3], r#"local deployment_kind {"name": "api"} {"name": "Payments"}"#);
    let icons = [r#""fa_icon": "globe", "kind_fa_icon": "anchor""#, r#""fa_icon": "globe", "kind_fa_icon": "globe""#];
    assert!(icons.iter().all(|icons| told.last().unwrap().contains(icons)), "{told:?}");
}

#[tokio::test]
async fn changes_at_the_same_moment_are_made_one_after_the_other() {
    let site = Site::new().await;
    let others = [&site.admin, &Admin::start(&[("DATABASE_URL", site.database.url())]).await.unwrap()];
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
        SELECT now(), '{API_REGISTRY}', 'sha256:' || n, 'main-' || n, 'api' FROM generate_series(1, 30000) AS n"
    );
    rows.batch_execute(&fill).await.unwrap();
    let right = "SELECT count(*) FROM helm_charts WHERE image_tag LIKE 'main-%' AND parsed_branch = 'main' \
                 AND tag_format_id IS NOT NULL";
    drop(admin);
    let settings = [("DATABASE_URL", database.url()), ("ENABLE_TAG_PARSER", "true")];
    let admin = Admin::start(&settings).await.unwrap();
    until(&rows, right, 30_001).await;
    let (id, url): (uuid::Uuid, _) =
        (rows.query_one("SELECT id FROM helm_tag_formats", &[]).await.unwrap().get(0), admin.url().to_owned());
    let request = http.delete(format!("{url}/api/v2/helm-tag-formats/{id}")).send();
    tokio::select! {
        ended = request => panic!("{ended:?}"),
        () = until_less(&rows, right, 30_001) => drop(admin),
    }
    assert_eq!(count(&rows, "SELECT count(*) FROM helm_tag_formats").await, 1);
    let admin = Admin::start(&settings).await.unwrap();
    until(&rows, right, 30_001).await;
    // Again, and to its end.
    let deleted = http.delete(format!("{}/api/v2/helm-tag-formats/{id}", admin.url())).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    until(&rows, "SELECT count(*) FROM helm_charts WHERE parsed_branch = 'main'", 0).await;
    assert_eq!(count(&rows, "SELECT count(*) FROM admin_changes WHERE after IS NULL").await, 1);
}

#[tokio::test]
async fn a_chart_larger_than_lambda_can_answer_is_given_compressed() {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    rows.batch_execute(ROWS).await.unwrap();
    // As much as discovery lets in, of what takes most room.
    rows.batch_execute("UPDATE helm_charts SET values_ui = to_jsonb(repeat('\"', 2200000))").await.unwrap();
    let function = Function::start("admin", &[("DATABASE_URL", database.url()), ("ADMIN_AUTH", "iam")]).await.unwrap();
    let site = Endpoint::function_url(Arc::new(function), Some("arn:aws:iam::123456789012:user/jane")).await.unwrap();
    let id: uuid::Uuid = rows.query_one("SELECT id FROM helm_charts LIMIT 1", &[]).await.unwrap().get(0);
    let request = || client().get(format!("{}/api/v2/helm-charts/{id}", site.url()));
    assert_eq!(read(request().send().await.unwrap()).await.0, 406);
    let answer = request().header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-encoding"].to_str().unwrap()), (200, "gzip"));
    let compressed = answer.bytes().await.unwrap();
    let chart: Value = serde_json::from_reader(flate2::read::GzDecoder::new(&compressed[..])).unwrap();
    assert_eq!(chart["values_ui"].as_str().unwrap().len(), 2_200_000);
    // A page of such charts has none of that.
    assert_eq!(client().get(format!("{}/api/v2/helm-charts", site.url())).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn every_bad_id_and_body_is_a_problem() {
    let site = Site::new().await;
    let registry = format!("helm-registries/{API_REGISTRY}");
    let kind = format!("deployment-kinds/{API}");
    let nobody = |list: &str| format!("{list}/{NOBODY}");
    let long = "x".repeat(1025);
    let table = [
        (Method::PUT, registry.as_str(), json!({"fa_icon": "fa-cube"}), 422, "Did you mean cube?"),
        (Method::PUT, &registry, json!({"fa_icon": ""}), 422, "fa_icon"),
        (Method::PUT, &registry, json!({"fa_icon": 7}), 422, "fa_icon: invalid type"),
        (Method::PUT, &registry, json!({"kind_id": NOBODY}), 422, "kind_id"),
        (Method::PUT, &registry, json!({"kind_id": "api"}), 422, "kind_id: UUID"),
        (Method::PUT, &registry, json!({"domain_name": "x"}), 422, "domain_name"),
        (Method::PUT, &registry, json!(["rocket", null]), 422, "JSON object"),
        (Method::PUT, &nobody("helm-registries"), json!({"fa_icon": "cube"}), 404, NOBODY),
        (Method::PUT, "helm-registries/1", json!({}), 400, "UUID"),
        (Method::POST, "helm-registries", json!({"domain_name": "x"}), 405, "method"),
        (Method::DELETE, &registry, json!({}), 405, "method"),
        (Method::PUT, &kind, json!({"name": "web"}), 409, "web"),
        (Method::PUT, &kind, json!({"name": " "}), 422, "name"),
        (Method::PUT, &kind, json!({"name": long}), 422, "1024"),
        (Method::PUT, &kind, json!({"name": "a\u{0}b"}), 422, "name"),
        (Method::PUT, &kind, json!({"name": "\u{200b}"}), 422, "cannot be seen"),
        (Method::PUT, &kind, json!({"name": "a\u{202e}b"}), 422, "cannot be seen"),
        (Method::PUT, &kind, json!({}), 422, "name"),
        (Method::PUT, &nobody("deployment-kinds"), json!({"name": "x"}), 404, NOBODY),
        (Method::POST, "helm-tag-formats", json!({"pattern": "("}), 422, "pattern"),
        (Method::POST, "helm-tag-formats", json!({"pattern": "(?:a{1000}){1000}"}), 422, "too large"),
        (Method::POST, "helm-tag-formats", json!({"pattern": "(?<=a)b"}), 422, "look-around"),
        (Method::POST, "helm-tag-formats", json!({"pattern": "x".repeat(4097)}), 422, "4096"),
        (Method::POST, "helm-tag-formats", json!({"pattern": ""}), 422, "empty"),
        (Method::POST, "helm-tag-formats", json!({"pattern": "a\u{0}"}), 422, "NUL"),
        (Method::POST, "helm-tag-formats", json!({"pattern": "x".repeat(100_000)}), 413, ""),
        (Method::POST, "helm-tag-formats/preview", json!({"pattern": "["}), 422, "pattern"),
        (Method::POST, "helm-tag-formats/preview", json!({"pattern": "x", "limit": 1001}), 422, "limit"),
        (Method::POST, "helm-tag-formats/preview", json!({"pattern": "x", "limit": -1}), 422, "limit: "),
        (Method::DELETE, &nobody("helm-tag-formats"), json!({}), 404, NOBODY),
    ];
    for (method, path, body, status, named) in table {
        let shown: String = body.to_string().chars().take(80).collect();
        let (answered, problem) = site.send(method.clone(), path, body).await;
        assert_eq!(answered, status, "{method} {path} {shown}: {problem}");
        assert!(problem.to_string().contains(named), "{method} {path} {shown}: {problem}");
    }
    for (path, status, named) in [
        ("helm-charts?page=0", 400, "page"),
        ("helm-charts?page=-1", 400, "page"),
        ("helm-charts?page=1000001", 400, "1000000"),
        ("helm-charts?page=99999999999", 400, "page"),
        ("helm-charts?per_page=0", 400, "per_page"),
        ("helm-charts?per_page=101", 400, "100"),
        ("helm-charts?available=perhaps", 400, "available"),
        ("helm-charts?helm_registry_id=1", 400, "helm_registry_id"),
        ("helm-charts?image_tag=1.0.0", 400, "image_tag"),
        ("helm-charts?text=%00", 400, "NUL"),
        ("helm-charts?broken=perhaps", 400, "broken"),
        ("helm-registries?text=%00", 400, "NUL"),
        ("deployment-kinds?name=%00", 400, "NUL"),
        ("helm-charts/1", 400, "UUID"),
        (&format!("helm-charts/{NOBODY}"), 404, NOBODY),
        (&format!("helm-registries/{NOBODY}"), 404, NOBODY),
        (&format!("deployment-kinds/{NOBODY}"), 404, NOBODY),
        (&format!("helm-tag-formats/{NOBODY}"), 404, NOBODY),
        ("nothing", 404, "openapi.json"),
    ] {
        let (answered, problem) = site.get(path).await;
        assert_eq!(answered, status, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(named), "{path}: {problem}");
    }
    let put = |body: &'static str| site.http.put(site.url(&kind)).body(body);
    for (request, status) in [
        (put("{\"name\": \"x\"}"), 415),
        (put("{\"name\": \"x\"}").header("content-type", "text/plain"), 415),
        (put("name=x").header("content-type", "application/x-www-form-urlencoded"), 415),
        (put("{\"name\":").header("content-type", "application/json"), 400),
        (put("\u{fffd}").header("content-type", "application/json"), 400),
    ] {
        assert_eq!(read(request.send().await.unwrap()).await.0, status);
    }
    // Nothing of all this has changed anything.
    assert_eq!(site.column("deployment-kinds", "name").await, ["api", "web"]);
    assert_eq!(count(&site.rows, "SELECT count(*) FROM helm_tag_formats").await, 0);
    assert_eq!(count(&site.rows, "SELECT count(*) FROM admin_changes").await, 0);
    assert!(!site.admin.log().iter().any(|line| line.contains("ERROR")), "a bad request is nobody's emergency");
}

#[tokio::test]
async fn tag_formats_are_tried_added_and_deleted() {
    let site = Site::new().await;
    let pattern = r"^(?P<branch>[a-z]+)-(?P<revision>\d+)$";
    let body = json!({"pattern": pattern});
    let (_, preview) = site.send(Method::POST, "helm-tag-formats/preview", body.clone()).await;
    let tag = json!({"tag": "main-7", "version": null, "revision": "7", "branch": "main", "commit": null, "shadowedBy": null});
    assert_eq!(preview, json!({"matches": [tag], "matched": 1, "newlyMatched": 1}));

    let added = site.http.post(site.url("helm-tag-formats")).header("content-type", "application/json");
    let added = added.body(body.to_string()).send().await.unwrap();
    let location = added.headers()["location"].to_str().unwrap().to_owned();
    let (status, format) = read(added).await;
    assert_eq!((status, &format["pattern"]), (201, &json!(pattern)));
    assert_eq!(location, format!("/api/v2/helm-tag-formats/{}", format["id"].as_str().unwrap()));
    assert_eq!(site.send(Method::POST, "helm-tag-formats", body).await.0, 409);

    let parsed = "SELECT count(*) FROM helm_charts, helm_tag_formats_version WHERE parsed_with = version";
    until(&site.rows, parsed, 5).await;
    let told = async |column| site.get("helm-charts?text=main-7").await.1["items"][0][column].clone();
    assert_eq!((told("parsed_branch").await, told("parsed_revision").await), (json!("main"), json!("7")));
    let path = location.trim_start_matches("/api/v2/").to_owned();
    assert_eq!(site.get(&path).await.1["charts"], 1);

    // In use, and deleted.
    let deleted = site.http.delete(site.url(&path)).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    until(&site.rows, parsed, 5).await;
    assert_eq!((told("parsed_branch").await, told("tag_format_id").await), (Value::Null, Value::Null));
    assert_eq!(site.get(&path).await.0, 404);
}

/// Waits until a count is less.
async fn until_less(rows: &tokio_postgres::Client, sql: &str, than: i64) {
    while count(rows, sql).await >= than {
        tokio::task::yield_now().await;
    }
}

/// Waits until a count is right.
async fn until(rows: &tokio_postgres::Client, sql: &str, right: i64) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while count(rows, sql).await != right {
        assert!(tokio::time::Instant::now() < deadline, "{sql} does not become {right}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn in_lambda_the_iam_identity_decides_and_tag_parser_is_invoked() {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    rows.batch_execute(ROWS).await.unwrap();
    let parser = [("DATABASE_URL", database.url()), ("ENABLE_TAG_PARSER", "true")];
    let parser = Arc::new(Function::start("tag-parser", &parser).await.unwrap());
    let lambda = Endpoint::lambda(parser).await.unwrap();
    let lambda_url = lambda.url();
    let settings = [
        ("DATABASE_URL", database.url()),
        ("ADMIN_AUTH", "iam"),
        ("SITE_ADMINS", "arn:aws:iam::123456789012:role/teams/platform"),
        ("TAG_PARSER_FUNCTION", "tag-parser"),
        ("ENABLE_TAG_PARSER", "true"),
        ("AWS_ENDPOINT_URL_LAMBDA", &lambda_url),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let admin = Arc::new(Function::start("admin", &settings).await.unwrap());
    let url = async |arn| Endpoint::function_url(Arc::clone(&admin), arn).await.unwrap();
    let nobody = url(None).await;
    let user = url(Some("arn:aws:sts::123456789012:assumed-role/developers/jane")).await;
    let site_admin = url(Some("arn:aws:sts::123456789012:assumed-role/platform/joe")).await;
    let http = client();
    let kind = format!("deployment-kinds/{API}");
    let get = async |site: &Endpoint, path: &str| {
        http.get(format!("{}/api/v2/{path}", site.url())).send().await.unwrap().status().as_u16()
    };
    for (path, of_user) in [
        ("deployment-kinds", 200),
        (&kind, 200),
        ("helm-charts?kind=api", 200),
        ("helm-registries", 403),
        (&format!("helm-registries/{API_REGISTRY}"), 403),
        ("helm-tag-formats", 403),
        ("discovery-instances", 403),
        ("openapi.json", 200),
    ] {
        let statuses = (get(&nobody, path).await, get(&user, path).await, get(&site_admin, path).await);
        assert_eq!(statuses, (401, of_user, 200), "{path}");
    }
    let send = async |site: &Endpoint, method: Method, path: &str, body: Value| {
        let request = http.request(method, format!("{}/api/v2/{path}", site.url()));
        read(request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap()).await
    };
    let registry = format!("helm-registries/{API_REGISTRY}");
    for (method, path, body) in [
        (Method::PUT, kind.as_str(), json!({"name": "mine"})),
        (Method::PUT, &registry, json!({"fa_icon": "cube"})),
        (Method::POST, "helm-tag-formats", json!({"pattern": "x"})),
        (Method::POST, "helm-tag-formats/preview", json!({"pattern": "x"})),
        (Method::DELETE, &format!("helm-tag-formats/{NOBODY}"), json!({})),
    ] {
        assert_eq!(send(&nobody, method.clone(), path, body.clone()).await.0, 401, "{path}");
        let (status, problem) = send(&user, method, path, body).await;
        assert_eq!(status, 403, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("assumed-role/developers/jane"), "{problem}");
    }
    let format = json!({"pattern": "^(?P<branch>[a-z]+)-(?P<revision>[0-9]+)$"});
    assert_eq!(send(&site_admin, Method::POST, "helm-tag-formats", format).await.0, 201);
    until(&rows, "SELECT count(*) FROM helm_charts WHERE parsed_branch = 'main'", 1).await;
    let log = admin.log().concat();
    assert!(log.contains("assumed-role/platform/joe") && log.contains("\"message\":\"changed\""), "{log}");
    assert!(!log.contains("hunter2"));
}

#[tokio::test]
async fn the_sample_of_a_function_urls_event_is_answered() {
    let database = TestDatabase::create().await.unwrap();
    let settings = [("DATABASE_URL", database.url()), ("ADMIN_AUTH", "iam")];
    let function = Function::start("admin", &settings).await.unwrap();
    let event: Value = serde_json::from_str(include_str!("../../events/admin.json")).unwrap();
    let answer = function.invoke(&event).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["headers"]["content-type"]), (&json!(200), &json!("application/json")));
    let list: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(list, json!({"page": 1, "per_page": 10, "num_total": 0, "items": []}));
    // What no address may have is answered all the same.
    for (field, value) in
        [("rawQueryString", "text=<b> \"x\"|{}^`"), ("rawQueryString", "text=ä#"), ("rawPath", "/api/v2/ä b<")]
    {
        let mut odd = event.clone();
        odd[field] = json!(value);
        let status = function.invoke(&odd).await.unwrap()["statusCode"].clone();
        assert_eq!(status, if field == "rawPath" { 404 } else { 200 }, "{value}");
    }
    for (header, value) in [("host", "a b"), ("host", "[::"), ("host", ""), ("x-forwarded-proto", "https, https")] {
        let mut odd = event.clone();
        odd["headers"][header] = json!(value);
        assert_eq!(function.invoke(&odd).await.unwrap()["statusCode"], 200, "{header}: {value}");
    }
}

#[tokio::test]
async fn the_description_names_every_address_and_each_answers() {
    let site = Site::new().await;
    let (_, document) = site.get("openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let operations: Vec<String> = paths
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    insta::assert_json_snapshot!(operations);
    for path in paths.keys() {
        let answer = site.http.get(site.url(path.replace("{id}", API).trim_start_matches('/'))).send().await.unwrap();
        let expected: &[u16] = if path.contains("preview") { &[405] } else { &[200, 404] };
        assert!(expected.contains(&answer.status().as_u16()), "{path}: {}", answer.status());
    }
    drop(site.database);
}
