//! Sign-in with OpenID Connect, with a real provider in a browser and with a hostile one.

use std::collections::HashMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use tests::admin::Admin;
use tests::browser::Browser;
use tests::moto::Moto;
use tests::oidc::Provider;
use tests::postgres::TestDatabase;
use url::Url;

use crate::support::admin_site::client;
use crate::support::hostile_oidc_provider::{CLIENT, HostileOidcProvider, SECRET, Signed, token};
use crate::support::stack::count;
use crate::support::walk::pictures;

const COOKIE_KEY: &str = "a key of more than thirty-two bytes";

/// A site whose users sign in at this issuer.
struct OidcSite {
    database: TestDatabase,
    _moto: Moto,
    admin: Admin,
}

impl OidcSite {
    async fn new(issuer: &str) -> Self {
        let (database, moto) =
            (TestDatabase::create().await.unwrap(), Moto::start().await.unwrap());
        let secret = json!({"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET,
            "cookie_key": COOKIE_KEY});
        let arn = moto.create_secret("oidc", &secret).await.unwrap();
        let settings = [
            ("DATABASE_URL", database.url()),
            ("ADMIN_AUTH", "oidc"),
            ("OIDC_SECRET_ARN", &arn),
            ("SITE_ADMINS", "group:platform, ann@example.com"),
        ];
        let admin = Admin::start(&[&settings[..], &moto.settings()].concat()).await.unwrap();
        Self { database, _moto: moto, admin }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.admin.url())
    }

    /// Begins a login. Returns its cookie, and the parameters of the request to the provider.
    async fn begin(&self, next: &str) -> (String, HashMap<String, String>) {
        let answer =
            client().get(self.url(&format!("/admin/login?next={next}"))).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        let cookie = cookie.split_once(';').unwrap().0.to_owned();
        let address = Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
        (cookie, address.query_pairs().into_owned().collect())
    }

    /// Returns from the provider to the site. Returns the status, the redirect's target, the
    /// session's cookie and the page.
    async fn return_from_provider(
        &self,
        cookie: &str,
        query: &str,
    ) -> (u16, String, Option<String>, String) {
        let request = client()
            .get(self.url(&format!("/admin/login/callback?{query}")))
            .header(COOKIE, cookie);
        let answer = request.send().await.unwrap();
        let to = answer.headers().get(LOCATION).map_or("", |to| to.to_str().unwrap()).to_owned();
        let cookies = answer
            .headers()
            .get_all(SET_COOKIE)
            .into_iter()
            .map(|cookie| cookie.to_str().unwrap().to_owned());
        let mut cookies = cookies.filter_map(|cookie| Some(cookie.split_once(';')?.0.to_owned()));
        let session = cookies.find(|cookie| cookie.starts_with("session="));
        (answer.status().as_u16(), to, session, answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn site_admin_signs_in_renames_a_kind_and_signs_out() {
    let (_provider, site, browser) = signed_out().await;
    let rows = site.database.connect().await.unwrap();
    rows.batch_execute("INSERT INTO k8s_deployment_kinds (name) VALUES ('api')").await.unwrap();
    let folder = pictures();
    browser.open(&site.url("/admin/kinds?text=api")).await.unwrap();
    browser.picture(&folder, "sign-in").await.unwrap();
    browser.click("main a.button").await.unwrap();
    browser.click("button[value=jane]").await.unwrap();
    // The login leads back to the page that the user requested.
    browser.wait_for(".user span:last-child", |user| user == ["jane@example.com"]).await.unwrap();
    assert!(browser.address().await.unwrap().ends_with("/admin/kinds?text=api"));
    browser.follow("api").await.unwrap();
    browser.fill("input[name=name]", "Answers").await.unwrap();
    browser.click("#rename ~ form button").await.unwrap();
    browser.wait_for("h1", |title| title == ["Answers"]).await.unwrap();
    let by =
        count(&rows, "SELECT count(*) FROM admin_changes WHERE user_name = 'jane@example.com'")
            .await;
    assert_eq!(by, 1);
    browser.follow("Sign out").await.unwrap();
    browser.click("main form button").await.unwrap();
    browser.wait_for("h1", |title| title == ["Signed out"]).await.unwrap();
    browser.picture(&folder, "signed-out").await.unwrap();
    browser.open(&site.url("/admin/kinds")).await.unwrap();
    assert_eq!(browser.texts("h1").await.unwrap(), ["Sign in"]);
    expect_no_secret_in_the_log(&site);
}

#[tokio::test]
async fn user_without_the_group_is_no_site_admin() {
    let (_provider, site, browser) = signed_out().await;
    browser.click("main a.button").await.unwrap();
    browser.click("button[value=joe]").await.unwrap();
    browser.wait_for(".user span:last-child", |user| user == ["joe@example.com"]).await.unwrap();
    assert!(browser.texts("main form[method=post]").await.unwrap().is_empty());
    browser.open(&site.url("/admin/instances")).await.unwrap();
    assert_eq!(browser.texts("h1").await.unwrap(), ["Forbidden"]);
    browser.follow("Sign out").await.unwrap();
    browser.click("main form button").await.unwrap();
    browser.follow("Sign in again").await.unwrap();
    browser.wait_for("button[value=joe]", |found| !found.is_empty()).await.unwrap();
    expect_no_secret_in_the_log(&site);
}

#[tokio::test]
async fn unverified_address_and_cancelled_login_are_refused() {
    let (_provider, site, browser) = signed_out().await;
    browser.click("main a.button").await.unwrap();
    browser.click("button[value=eve]").await.unwrap();
    let said = browser.wait_for(".notice.bad", |said| !said.is_empty()).await.unwrap();
    assert!(said[0].contains("has not verified the e-mail address ann@example.com"), "{said:?}");
    browser.picture(&pictures(), "login-refused").await.unwrap();
    // Another user cancels the login on the provider's page.
    browser.open(&site.url("/admin/login")).await.unwrap();
    browser.click("button[value=deny]").await.unwrap();
    let said = browser.wait_for(".notice.bad", |said| !said.is_empty()).await.unwrap();
    assert!(said[0].contains("answered with the error access_denied"), "{said:?}");
    expect_no_secret_in_the_log(&site);
}

/// Starts a site and a provider with three users, and opens the page with the login in a browser.
async fn signed_out() -> (Provider, OidcSite, Browser) {
    let users = [
        json!({"sub": "jane", "email": "Jane@example.com", "email_verified": true, "groups":
            ["platform"]}),
        json!({"sub": "joe", "email": "joe@example.com", "email_verified": true}),
        json!({"sub": "eve", "email": "ann@example.com", "email_verified": false}),
    ];
    let provider = Provider::start(&users).await.unwrap();
    let (site, browser) = (OidcSite::new(provider.issuer()).await, Browser::start().await.unwrap());
    browser.open(&site.url("/admin/kinds")).await.unwrap();
    (provider, site, browser)
}

fn expect_no_secret_in_the_log(site: &OidcSite) {
    let log = site.admin.log().concat();
    assert!(!log.contains(SECRET) && !log.contains(COOKIE_KEY) && !log.contains("code="));
}

/// Hostile input 37.
#[tokio::test]
async fn wrong_token_signs_no_user_in() {
    let hostile = HostileOidcProvider::start().await;
    let site = OidcSite::new(hostile.issuer()).await;
    let set = |field: &'static str, value: Value| (field, value);
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for (what, change, signed) in [
        ("another nonce", set("nonce", json!("x")), Signed::Rightly),
        ("no nonce", set("nonce", Value::Null), Signed::Rightly),
        ("another audience", set("aud", json!(["another"])), Signed::Rightly),
        ("others beside us", set("aud", json!([CLIENT, "another"])), Signed::Rightly),
        ("made for another", set("azp", json!("another")), Signed::Rightly),
        ("from the future", set("iat", json!(now + 3_600)), Signed::Rightly),
        (
            "a letter that becomes another",
            set("email", json!("\u{212a}im@example.com")),
            Signed::Rightly,
        ),
        ("another issuer", set("iss", json!("https://evil.example")), Signed::Rightly),
        ("expired", set("exp", json!(now - 1)), Signed::Rightly),
        ("not verified", set("email_verified", json!(false)), Signed::Rightly),
        ("not said to be verified", set("email_verified", Value::Null), Signed::Rightly),
        ("no e-mail address", set("email", Value::Null), Signed::Rightly),
        ("not signed", set("sub", json!("1")), Signed::Not),
        ("signed by another key", set("sub", json!("1")), Signed::ByAnotherKey),
        ("signed with the secret", set("sub", json!("1")), Signed::WithTheSecret),
    ] {
        let (cookie, asked) = site.begin("").await;
        let mut claims = hostile.claims(&asked["nonce"]);
        claims[change.0] = change.1;
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let wrong = token(&claims, signed);
        hostile.answer(wrong.clone());
        let (status, _, session, page) =
            site.return_from_provider(&cookie, &format!("code=x&state={}", asked["state"])).await;
        assert_eq!((status, session), (403, None), "{what}");
        assert!(page.contains("Sign in again") && !page.contains(SECRET), "{what}: {page}");
        // The failed login is over, so that a right token comes too late.
        hostile.answer(token(&hostile.claims(&asked["nonce"]), Signed::Rightly));
        let (status, ..) =
            site.return_from_provider(&cookie, &format!("code=x&state={}", asked["state"])).await;
        assert_eq!(status, 403, "{what}");
        // The API refuses the token as well. Only the nonce does not matter there.
        if !what.contains("nonce") {
            let request = client().get(site.url("/api/v2/deployment-kinds")).bearer_auth(wrong);
            assert_eq!(request.send().await.unwrap().status(), 401, "{what}");
        }
    }
}

/// Hostile input 38.
#[tokio::test]
async fn only_the_browser_that_began_a_login_completes_it() {
    let hostile = HostileOidcProvider::start().await;
    let site = OidcSite::new(hostile.issuer()).await;
    let (cookie, asked) = site.begin("/admin/kinds?page=1").await;
    let (other_cookie, other) = site.begin("").await;
    assert_eq!((asked["client_id"].as_str(), asked["response_type"].as_str()), (CLIENT, "code"));
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(asked["scope"].split(' ').any(|scope| scope == "email"));
    assert_eq!(asked["redirect_uri"], site.url("/admin/login/callback"));
    hostile.answer(token(&hostile.claims(&asked["nonce"]), Signed::Rightly));
    let right = format!("code=x&state={}", asked["state"]);
    for (what, cookie, query) in [
        ("another browser", "", right.as_str()),
        ("a browser that began another login", &other_cookie, &right),
        ("no state", &cookie, "code=x"),
        ("the state of another login", &cookie, &format!("code=x&state={}", other["state"])),
        ("a forged cookie", "login=x", &right),
        ("an error for another browser", "", "error=access_denied"),
    ] {
        let (status, _, session, _) = site.return_from_provider(cookie, query).await;
        assert_eq!((status, session), (403, None), "{what}");
    }
    let (status, to, session, _) = site.return_from_provider(&cookie, &right).await;
    assert_eq!((status, to.as_str()), (303, "/admin/kinds?page=1"));
    let session = session.unwrap();
    let page = async |cookie: &str| {
        client()
            .get(site.url("/admin/instances"))
            .header(COOKIE, cookie)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    // One of the user's groups is listed in SITE_ADMINS.
    assert_eq!((page(&session).await, page("session=x").await, page("").await), (200, 401, 401));
    // A stolen cookie does not repeat the login, and a login without a code fails.
    let (status, _, session, page) = site.return_from_provider(&cookie, &right).await;
    assert!((status, session) == (403, None) && page.contains("has already ended"), "{page}");
    let (third_cookie, third) = site.begin(&format!("/admin/{}", "x".repeat(3_000))).await;
    assert!(third_cookie.len() < 2_000);
    assert_eq!(
        site.return_from_provider(&third_cookie, &format!("state={}", third["state"])).await.0,
        403
    );
    // The token of one login does not complete another.
    let (status, ..) =
        site.return_from_provider(&other_cookie, &format!("code=x&state={}", other["state"])).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn api_accepts_tokens_of_the_provider() {
    let hostile = HostileOidcProvider::start().await;
    let site = OidcSite::new(hostile.issuer()).await;
    let mut claims = hostile.claims("");
    let get = async |path: &str, token: &str| {
        client().get(site.url(path)).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    let right = token(&claims, Signed::Rightly);
    assert_eq!(get("/api/v2/helm-registries", &right).await, 200);
    claims["groups"] = json!("others");
    claims["aud"] = json!(CLIENT);
    let user = token(&claims, Signed::Rightly);
    assert_eq!(
        (get("/api/v2/helm-registries", &user).await, get("/api/v2/deployment-kinds", &user).await),
        (403, 200)
    );
    // The token is for several clients and was issued to this one. A group may have a wrong type.
    claims["aud"] = json!([CLIENT, "another"]);
    claims["azp"] = json!(CLIENT);
    claims["groups"] = json!(["platform", 7]);
    assert_eq!(get("/api/v2/helm-registries", &token(&claims, Signed::Rightly)).await, 200);
    claims["groups"] = json!([]);
    claims["email"] = json!("Ann@Example.com");
    assert_eq!(get("/api/v2/helm-registries", &token(&claims, Signed::Rightly)).await, 200);
    for wrong in ["", "x", "a.b.c", &right[..right.len() - 2]] {
        assert_eq!(get("/api/v2/deployment-kinds", wrong).await, 401, "{wrong}");
    }
    let answer = client().get(site.url("/api/v2/deployment-kinds")).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    // The site ignores the header that a proxy adds for itself.
    let page = client().get(site.url("/admin/kinds")).header("authorization", "Basic eDp5");
    assert!(page.send().await.unwrap().text().await.unwrap().contains("You are not signed in"));
    assert!(!site.admin.log().concat().contains(&right));
}

#[tokio::test]
async fn answer_of_the_token_endpoint_is_not_repeated() {
    let hostile = HostileOidcProvider::start().await;
    let site = OidcSite::new(hostile.issuer()).await;
    let (cookie, asked) = site.begin("").await;
    hostile.refuse();
    let (status, _, _, page) = site
        .return_from_provider(&cookie, &format!("code=the-code&state={}", asked["state"]))
        .await;
    assert!(status == 403 && page.contains("refuses the code (invalid_grant)"), "{page}");
    let log = site.admin.log().concat();
    for secret in [SECRET, "the-code", "code_verifier"] {
        assert!(!page.contains(secret) && !log.contains(secret), "{secret} in {page} or {log}");
    }
}

#[tokio::test]
async fn unusable_provider_is_logged_without_its_secrets() {
    let (database, moto) = (TestDatabase::create().await.unwrap(), Moto::start().await.unwrap());
    for (secret, logged) in [
        (
            json!({"issuer": "http://127.0.0.1:9", "client_id": "c", "client_secret": SECRET,
                "cookie_key": COOKIE_KEY}),
            "cannot fetch the metadata of the provider http://127.0.0.1:9: Request failed: the \
             request to the provider failed: error sending request",
        ),
        (
            json!({"issuer": "http://example.com", "client_id": "c", "client_secret": SECRET,
                "cookie_key": COOKIE_KEY}),
            "the issuer must be an https address",
        ),
        (
            json!({"issuer": "https://example.com", "client_id": "c", "client_secret": SECRET,
                "cookie_key": "short"}),
            "cookie_key has 5 bytes",
        ),
        (
            json!({"issuer": "https://example.com"}),
            "it is not JSON with issuer, client_id, client_secret, cookie_key",
        ),
    ] {
        let arn = moto.create_secret(&uuid::Uuid::new_v4().to_string(), &secret).await.unwrap();
        let settings = [
            ("DATABASE_URL", database.url()),
            ("ADMIN_AUTH", "oidc"),
            ("OIDC_SECRET_ARN", &arn),
            ("SITE_ADMINS", "a@b"),
        ];
        let admin = Admin::start(&[&settings[..], &moto.settings()].concat()).await.unwrap();
        let answer = client().get(format!("{}/admin/login", admin.url())).send().await.unwrap();
        assert_eq!(answer.status(), 502);
        let page = answer.text().await.unwrap();
        assert!(
            page.contains("identity provider cannot be used for now") && !page.contains(SECRET),
            "{page}"
        );
        let log = admin.log().concat();
        assert!(
            log.contains(logged) && !log.contains(SECRET) && !log.contains(COOKIE_KEY),
            "{log}"
        );
        for host in ["evil.example/x?", "user@evil.example", "evil.example#", "a b"] {
            let request = client().get(format!("{}/admin/login", admin.url())).header("host", host);
            assert_ne!(request.send().await.unwrap().status(), 303, "{host}");
        }
    }
}
