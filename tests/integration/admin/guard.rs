//! Protection of `admin` against forged requests, open redirects, and leaks of secrets.

use reqwest::Method;
use serde_json::Value;
use tests::admin::Admin;
use tests::function::Function;
use tests::postgres::TestDatabase;

use crate::support::admin_site::client;
use crate::support::stack::count;

const KIND: &str = "00000000-0000-0000-0000-00000000000a";

async fn site() -> (TestDatabase, tokio_postgres::Client, Admin) {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    let sql = format!("INSERT INTO k8s_deployment_kinds (id, name) VALUES ('{KIND}', 'api')");
    rows.batch_execute(&sql).await.unwrap();
    let admin = Admin::start(&[("DATABASE_URL", database.url())]).await.unwrap();
    (database, rows, admin)
}

/// Opens a page, and returns the cookie and the token of its form.
async fn token(url: &str) -> (String, String) {
    let answer = client().get(url).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let page = answer.text().await.unwrap();
    let token = page.split_once("name=\"csrf\" value=\"").unwrap().1.split_once('"').unwrap().0;
    (cookie.split_once(';').unwrap().0.to_owned(), token.to_owned())
}

/// Hostile input 39.
#[tokio::test]
async fn forged_post_changes_nothing() {
    let (_database, rows, admin) = site().await;
    let page = format!("{}/admin/kinds/{KIND}", admin.url());
    let ((cookie, right), (_, of_another)) = (token(&page).await, token(&page).await);
    let (ours, no_token) = (admin.url(), String::new());
    let named =
        async || count(&rows, "SELECT count(*) FROM k8s_deployment_kinds WHERE name = 'api'").await;
    for (what, cookie, token, header) in [
        ("no token", cookie.as_str(), &no_token, None),
        ("no cookie", "", &right, None),
        ("the token of another browser", &cookie, &of_another, None),
        ("a malformed token", &cookie, &"x".to_owned(), None),
        ("a foreign origin", &cookie, &right, Some(("origin", "https://evil.example"))),
        ("an opaque origin", &cookie, &right, Some(("origin", "null"))),
        ("another port", &cookie, &right, Some(("origin", "http://127.0.0.1:1"))),
        ("a foreign page", &cookie, &right, Some(("sec-fetch-site", "cross-site"))),
        ("another host of the site", &cookie, &right, Some(("sec-fetch-site", "same-site"))),
        ("a name that leads here", &cookie, &right, Some(("host", "evil.example"))),
    ] {
        let mut request = client().post(&page).header("cookie", cookie);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let body = format!("csrf={token}&name=stolen");
        let answer = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        assert_eq!(answer.send().await.unwrap().status(), 403, "{what}");
        assert_eq!(named().await, 1, "{what}");
    }
    // A script on a page of another site cannot use the API.
    for method in [Method::PUT, Method::POST, Method::DELETE] {
        let url = format!("{ours}/api/v2/deployment-kinds/{KIND}");
        let request = client().request(method, url).header("origin", "https://evil.example");
        let request =
            request.header("content-type", "application/json").body("{\"name\": \"stolen\"}");
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    assert_eq!(named().await, 1);
}

#[tokio::test]
async fn post_with_its_token_changes_the_kind() {
    let (_database, rows, admin) = site().await;
    let page = format!("{}/admin/kinds/{KIND}", admin.url());
    let (cookie, token) = token(&page).await;
    let request = client().post(&page).header("cookie", cookie).header("origin", admin.url());
    let request =
        request.header("sec-fetch-site", "same-origin").body(format!("csrf={token}&name=renamed"));
    let answer =
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(
        answer.headers()["location"].to_str().unwrap(),
        format!("/admin/kinds/{KIND}?done=name")
    );
    assert_eq!(
        count(&rows, "SELECT count(*) FROM k8s_deployment_kinds WHERE name = 'renamed'").await,
        1
    );
}

#[tokio::test]
async fn nearly_right_address_redirects_within_the_site() {
    let (_database, _rows, admin) = site().await;
    for (path, status, location) in [
        ("/", 303, "/admin"),
        ("/admin", 303, "/admin/helm-registries"),
        ("/admin/", 308, "/admin"),
        ("/admin/kinds/", 308, "/admin/kinds"),
        (
            &format!("/admin/helm-registries/{KIND}/icon"),
            303,
            &format!("/admin/helm-registries/{KIND}"),
        ),
        ("/admin//evil.example/", 404, ""),
        ("//evil.example/", 404, ""),
        ("/admin/kinds?page=abc", 400, ""),
        ("/admin/kinds?page=0", 400, ""),
        ("/admin/kinds?page=9999", 200, ""),
        ("/admin/kinds/x", 400, ""),
        (&format!("/admin/helm-registries/{KIND}"), 404, ""),
    ] {
        let answer = client().get(format!("{}{path}", admin.url())).send().await.unwrap();
        let to = answer
            .headers()
            .get("location")
            .map_or("", |location| location.to_str().unwrap())
            .to_owned();
        assert_eq!((answer.status().as_u16(), to.as_str()), (status, location), "{path}");
        let kind =
            answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let is_page = path.starts_with("/admin") && location.is_empty();
        assert!(
            !is_page || kind.is_some_and(|kind| kind.starts_with("text/html")),
            "{path} is not a page"
        );
    }
}

#[tokio::test]
async fn every_answer_restricts_the_browser() {
    let (_database, _rows, admin) = site().await;
    for path in [
        "/",
        "/admin",
        "/admin/kinds",
        "/admin/nowhere",
        "/api/v2/deployment-kinds",
        "/api/v2/x",
        "/nowhere",
    ] {
        let answer = client().get(format!("{}{path}", admin.url())).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(
            (header("x-content-type-options"), header("x-frame-options")),
            ("nosniff".into(), "DENY".into())
        );
        let page = answer.text().await.unwrap();
        assert!(
            !page.contains("style=") && !page.contains("<script>") && !page.contains(" on"),
            "{path} has inline code"
        );
    }
    // Browsers may cache only the files that are part of the program.
    for asset in ["admin.css", "admin.js"] {
        let answer =
            client().get(format!("{}/admin/assets/{asset}", admin.url())).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(
            answer.headers()["cache-control"].to_str().unwrap().contains("immutable"),
            "{asset}"
        );
    }
    let answer = client()
        .get(format!("{}/admin/assets/icons/no-such-icon", admin.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["cache-control"].to_str().unwrap()),
        (404, "no-store")
    );
}

/// Hostile input 41.
#[tokio::test]
async fn errors_pages_and_log_hold_no_secret() {
    let admin = Admin::start(&[("DATABASE_URL", "postgres://user:hunter2@127.0.0.1:9/charts")])
        .await
        .unwrap();
    for path in ["/admin/kinds", "/api/v2/deployment-kinds"] {
        let answer = client().get(format!("{}{path}", admin.url())).send().await.unwrap();
        assert_eq!(answer.status(), 503);
        let page = answer.text().await.unwrap();
        assert!(page.to_lowercase().contains("the database does not answer for now"), "{page}");
        assert!(
            !page.contains("127.0.0.1:9")
                && !page.contains("hunter2")
                && !page.contains("postgres"),
            "{page}"
        );
    }
    let log = admin.log();
    let errors: Vec<Value> =
        log.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let errors: Vec<&Value> = errors.iter().filter(|line| line["level"] == "ERROR").collect();
    assert!(
        errors.len() == 2
            && errors[0].to_string().contains(
                "127.0.0.1:9 (from DATABASE_URL): error connecting to server: Connection refused"
            ),
        "{errors:?}"
    );
    assert!(!log.concat().contains("hunter2"));
}

#[tokio::test]
async fn unprotected_site_listens_only_on_this_machine() {
    let database = ("DATABASE_URL", "postgres://user:hunter2@127.0.0.1:9/charts");
    for (settings, said) in [
        (
            &[("ADMIN_ADDR", "0.0.0.0:0")][..],
            "admin: ADMIN_ADDR cannot be used: others can reach 0.0.0.0:0",
        ),
        (
            &[("ADMIN_AUTH", "iam")],
            "admin: ADMIN_AUTH cannot be used: iam works behind a Function URL only",
        ),
    ] {
        let error = Admin::start(&[&[database], settings].concat()).await.unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
    }
    for (auth, said) in [
        ("none", "admin: ADMIN_AUTH cannot be used: none lets everyone"),
        ("", "admin: ADMIN_AUTH"),
    ] {
        let function = Function::start("admin", &[database, ("ADMIN_AUTH", auth)]).await.unwrap();
        let (status, lines) = function.wait().await.unwrap();
        assert!(!status.success() && lines.len() == 1 && lines[0].starts_with(said), "{lines:?}");
    }
}
