//! The login of `oci-poll`, and the hosts that must not get its credentials.

use serde_json::{Value, json};
use shared::domain::Digest;
use tests::function::Function;
use tests::moto::Moto;
use tests::push::Pusher;
use tests::registry::{self, Registry};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, instance};

/// The Basic credentials `puller:letmein`.
const PASSWORD: &str = "Basic cHVsbGVyOmxldG1laW4=";

/// Starts a function that reads secrets from moto. Returns it with an instance that polls `url`
/// with `secret`.
async fn with_secret(stack: &Stack, moto: &Moto, url: &str, secret: &Value) -> (Function, Value) {
    let arn = moto.create_secret("registry", secret).await.unwrap();
    let function =
        stack.oci_poll_with(&[("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto.settings()[0].1)]).await;
    let mut instance = instance(url);
    instance["oci"]["credentialsSecretArn"] = json!(arn);
    (function, instance)
}

fn password() -> Value {
    json!({"username": registry::USER.0, "password": registry::USER.1})
}

/// Makes a registry with one chart that requires a token of `realm` for every request.
fn one_chart_for_a_token(fake: &FakeRegistry, realm: &str) {
    let challenge =
        |scope: &str| format!("Bearer realm=\"{realm}\",service=\"fake\",scope=\"{scope}\"");
    let pull = challenge("repository:team/a:pull");
    fake.answer("/v2/", json!("")).needs("Bearer base", &challenge(""));
    fake.catalog(&["team/a"]).needs("Bearer catalog", &challenge("registry:catalog:*"));
    fake.tags("team/a", &["1.0.0"]).needs("Bearer pull", &pull);
    fake.chart("team/a", "1.0.0", "x").needs("Bearer pull", &pull);
}

const CATALOG_TOKEN: &str = "/token?scope=registry%3Acatalog%3A*&service=fake";
const PULL_TOKEN: &str = "/token?scope=repository%3Ateam%2Fa%3Apull&service=fake";

#[tokio::test]
async fn registry_with_a_password_is_polled_only_with_the_secret() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let registry =
        Registry::start_with(registry::Options { login: true, on_disk: false }).await.unwrap();
    let pusher = Pusher::as_user(registry.host(), registry::USER.0, registry::USER.1).unwrap();
    pusher.push_chart("team/a", "1.0.0", "x").await.unwrap();
    let url = registry.url().unwrap().to_string();

    let (function, instance) = with_secret(&stack, &moto, &url, &password()).await;
    let summary = function.invoke(&instance).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
    let before = registry.requests().len();
    assert_eq!(function.invoke(&instance).await.unwrap()["complete"], true);
    assert_eq!(
        registry.requests().len() - before,
        2,
        "once known, no request is made without the password"
    );

    let summary = function.invoke(&crate::support::stack::instance(&url)).await.unwrap();
    let error = summary["errors"][0].as_str().unwrap();
    assert!(error.contains("401 Unauthorized (UNAUTHORIZED)"), "{error}");
}

#[tokio::test]
async fn anonymous_token_is_requested_once_per_scope() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    one_chart_for_a_token(&fake, &format!("{}/token", fake.url()));
    fake.answer(CATALOG_TOKEN, json!({"token": "catalog", "expires_in": 300}));
    fake.answer(PULL_TOKEN, json!({"access_token": "pull"}));
    let function = stack.oci_poll().await;
    for added in [1, 0] {
        let summary = function.invoke(&instance(&fake.url())).await.unwrap();
        assert_summary!(summary, added = added, complete = true);
    }
    assert_eq!(
        (fake.count("GET", "registry%3Acatalog"), fake.count("GET", "repository%3A")),
        (1, 1)
    );
    assert!(
        fake.asked()
            .iter()
            .all(|asked| !asked.path.starts_with("/token") || asked.authorization.is_none())
    );
}

#[tokio::test]
async fn refused_token_is_replaced_once() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    one_chart_for_a_token(&fake, &format!("{}/token", fake.url()));
    fake.answer(CATALOG_TOKEN, json!({"token": "catalog"}));
    fake.answer(PULL_TOKEN, json!({"token": "pull"}));
    let function = stack.oci_poll().await;
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["complete"], true);

    let challenge = format!("Bearer realm=\"{}/token\",service=\"fake\"", fake.url());
    fake.tags("team/a", &["1.0.0"]).needs("Bearer second", &challenge);
    fake.answer(PULL_TOKEN, json!({"token": "second"}));
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["complete"], true);
    assert_eq!(fake.count("GET", "repository%3A"), 2);

    fake.tags("team/a", &["1.0.0"]).needs("Bearer third", &challenge);
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert!(summary["errors"][0].as_str().unwrap().contains("401"), "{summary}");
    assert_eq!(fake.count("GET", "repository%3A"), 3, "and not again and again");
}

#[tokio::test]
async fn realm_gets_the_password_and_registry_gets_the_token() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let fake = FakeRegistry::start().await;
    one_chart_for_a_token(&fake, &format!("{}/token", fake.url()));
    for (path, token) in [(CATALOG_TOKEN, "catalog"), (PULL_TOKEN, "pull")] {
        fake.answer(path, json!({"token": token})).needs(PASSWORD, "Basic realm=\"x\"");
    }
    let (function, instance) = with_secret(&stack, &moto, &fake.url(), &password()).await;
    let summary = function.invoke(&instance).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
    let token_requests =
        fake.asked().into_iter().filter(|asked| asked.authorization.as_deref() == Some(PASSWORD));
    assert!(
        token_requests.clone().count() == 2
            && token_requests.clone().all(|asked| asked.path.starts_with("/token"))
    );
}

#[tokio::test]
async fn token_of_the_secret_is_sent_unchanged() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let fake = FakeRegistry::start().await;
    fake.catalog(&["team/a"]).needs("Bearer s3cret", "Bearer");
    fake.tags("team/a", &[]).needs("Bearer s3cret", "Bearer");
    let (function, instance) =
        with_secret(&stack, &moto, &fake.url(), &json!({"token": "s3cret"})).await;
    assert_eq!(function.invoke(&instance).await.unwrap()["complete"], true);
    assert_eq!(fake.asked().len(), 2);
}

/// Hostile input 25.
#[tokio::test]
async fn foreign_realm_gets_no_password() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let (fake, elsewhere) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let (function, instance) = with_secret(&stack, &moto, &fake.url(), &password()).await;
    let port = fake.url().rsplit(':').next().unwrap().to_owned();
    for realm in [
        format!("{}/token", elsewhere.url()),
        // The registry's own address under another name.
        format!("http://localhost:{port}/token"),
        "https://auth.example.com/token".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        one_chart_for_a_token(&fake, &realm);
        let summary = function.invoke(&instance).await.unwrap();
        let error = summary["errors"][0].as_str().unwrap();
        assert!(
            error.contains("wants the password sent to") && error.contains("ALLOWED_ADDRESSES"),
            "{error}"
        );
    }
    assert!(elsewhere.asked().is_empty());
    assert!(fake.asked().iter().all(|asked| asked.authorization.is_none()), "{:?}", fake.asked());
}

/// Hostile input 24.
#[tokio::test]
async fn realm_at_a_private_address_is_not_asked_unless_it_is_allowed() {
    let stack = Stack::new().await;
    let (fake, elsewhere) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let elsewhere_port = elsewhere.url().rsplit(':').next().unwrap().to_owned();
    let own_port = fake.url().rsplit(':').next().unwrap().to_owned();
    // The second realm is a name that resolves to the same private address. It is refused because
    // of the address.
    for realm in
        [format!("{}/token", elsewhere.url()), format!("http://localhost:{elsewhere_port}/token")]
    {
        one_chart_for_a_token(&fake, &realm);
        let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        let error = summary["errors"][0].as_str().unwrap();
        assert!(
            error.contains("is not on the public internet") && error.contains("ALLOWED_ADDRESSES"),
            "{error}"
        );
    }
    assert!(elsewhere.asked().is_empty());

    for tokens in [&elsewhere, &fake] {
        tokens.answer(CATALOG_TOKEN, json!({"token": "catalog"}));
        tokens.answer(PULL_TOKEN, json!({"token": "pull"}));
    }
    for (allowed, realm) in [
        ("127.0.0.0/8", format!("{}/token", elsewhere.url())),
        ("localhost", format!("http://localhost:{elsewhere_port}/token")),
        // The registry's own address and port, under another name.
        ("", format!("http://localhost:{own_port}/token")),
    ] {
        one_chart_for_a_token(&fake, &realm);
        let function = stack.oci_poll_with(&[("ALLOWED_ADDRESSES", allowed)]).await;
        assert_eq!(
            function.invoke(&instance(&fake.url())).await.unwrap()["complete"],
            true,
            "{allowed} {realm}"
        );
    }
}

/// Hostile input 26.
#[tokio::test]
async fn checked_address_is_the_one_connected_to() {
    let stack = Stack::new().await;
    let (fake, elsewhere) = (FakeRegistry::start().await, FakeRegistry::start().await);
    // The URL contains a name instead of a private address. The name is resolved only once, for the
    // connection. So there is no earlier check that DNS rebinding could evade.
    let target = elsewhere.url().replace("127.0.0.1", "localhost");
    let manifest = format!("{target}/v2/team/a/manifests/1.0.0");
    fake.catalog(&["team/a"]);
    fake.tags("team/a", &["1.0.0"]);
    fake.answer("/v2/team/a/manifests/1.0.0", json!("")).status(307).header("location", &manifest);
    elsewhere.chart("team/a", "1.0.0", "x");
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    let error = summary["errors"][0].as_str().unwrap();
    assert!(
        error.contains("127.0.0.1") && error.contains("is not on the public internet"),
        "{error}"
    );
    assert!(elsewhere.asked().is_empty());
}

/// Hostile input 23.
#[tokio::test]
async fn redirect_to_another_host_is_followed_without_the_password() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let (fake, elsewhere) = (FakeRegistry::start().await, FakeRegistry::start().await);
    fake.catalog(&["team/a"]).needs(PASSWORD, "Basic realm=\"x\"");
    fake.tags("team/a", &["1.0.0"]).needs(PASSWORD, "Basic realm=\"x\"");
    let path = "/v2/team/a/manifests/1.0.0";
    let target = format!("{}{path}", elsewhere.url());
    fake.answer(path, json!(""))
        .status(307)
        .header("location", &target)
        .needs(PASSWORD, "Basic realm=\"x\"");
    elsewhere.chart("team/a", "1.0.0", "x");
    // The layer is on the other host too, because most registries keep layers elsewhere.
    let layer = format!("/v2/team/a/blobs/{}", Digest::sha256(&tests::chart::plain()));
    let target = format!("{}{layer}", elsewhere.url());
    fake.answer(&layer, json!(""))
        .status(307)
        .header("location", &target)
        .needs(PASSWORD, "Basic realm=\"x\"");
    let (_, instance) = with_secret(&stack, &moto, &fake.url(), &password()).await;
    let moto = moto.settings()[0].1;
    let settings = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto), ("ALLOWED_ADDRESSES", "127.0.0.1")];
    let summary = stack.oci_poll_with(&settings).await.invoke(&instance).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
    let asked = elsewhere.asked();
    assert!(
        asked.len() == 2 && asked.iter().all(|asked| asked.authorization.is_none()),
        "{asked:?}"
    );
}

/// Hostile input 41.
#[tokio::test]
async fn failed_login_reveals_no_secret() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let fake = FakeRegistry::start().await;
    one_chart_for_a_token(&fake, &format!("{}/token", fake.url()));
    fake.answer(CATALOG_TOKEN, json!({"tokn": "hunter2"}));
    let secret = json!({"username": "puller", "password": "hunter2"});
    let (function, mut instance) = with_secret(&stack, &moto, &fake.url(), &secret).await;
    let summary = function.invoke(&instance).await.unwrap();
    assert!(
        summary["errors"][0].as_str().unwrap().contains("answered without a token"),
        "{summary}"
    );
    instance["oci"]["credentialsSecretArn"] =
        json!(moto.create_secret("wrong", &json!("hunter2")).await.unwrap());
    let wrong = function.invoke(&instance).await.unwrap();
    let error = wrong["errors"][0].as_str().unwrap();
    assert!(
        error.contains("oci.credentialsSecretArn")
            && error.contains("username and password, or token"),
        "{error}"
    );
    let said = format!("{summary} {wrong} {:?}", function.log());
    assert!(!said.contains("hunter2") && !said.contains("aHVudGVyMg"), "{said}");
}

/// Case from the field 25.
#[tokio::test]
async fn wrong_credentials_are_one_error_of_the_instance() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let fake = FakeRegistry::start().await;
    let basic = "Basic realm=\"x\"";
    fake.answer("/v2/", json!("")).needs("Basic other", basic);
    for repository in ["a", "b", "c"] {
        fake.tags(repository, &["1.0.0"]).needs("Basic other", basic);
    }
    fake.catalog(&["a", "b", "c"]).needs("Basic other", basic);
    let (function, mut instance) = with_secret(&stack, &moto, &fake.url(), &password()).await;
    let expected = "refuses the credentials of oci.credentialsSecretArn: it answered 401";
    for repositories in [json!(["a", "b", "c"]), json!(null)] {
        instance["oci"]["repositories"] = repositories;
        let summary = function.invoke(&instance).await.unwrap();
        assert_eq!(summary["errors"].as_array().unwrap().len(), 1, "{summary}");
        let error = summary["errors"][0].as_str().unwrap();
        assert!(error.contains(expected) && !error.contains("oci.repositories"), "{error}");
    }
}

/// Case from the field 27.
#[tokio::test]
async fn harbor_robot_without_the_right_to_list_reads_what_is_named() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let fake = FakeRegistry::start().await;
    one_chart_for_a_token(&fake, &format!("{}/token", fake.url()));
    fake.catalog(&[]).needs("Basic admin", "Basic realm=\"harbor\"");
    for path in [CATALOG_TOKEN, PULL_TOKEN, "/token?service=fake"] {
        fake.answer(path, json!({"token": "pull", "access_token": ""}))
            .needs(PASSWORD, "Basic realm=\"x\"");
    }
    let (function, mut instance) = with_secret(&stack, &moto, &fake.url(), &password()).await;
    let summary = function.invoke(&instance).await.unwrap();
    let error = summary["errors"][0].as_str().unwrap();
    assert!(error.contains("catalog: read") && error.contains("oci.repositories"), "{error}");

    instance["oci"]["repositories"] = json!(["team/a"]);
    let summary = function.invoke(&instance).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
}

/// Case from the field 18.
#[tokio::test]
async fn repository_that_is_private_or_missing_is_an_error_of_its_own() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    one_chart_for_a_token(&fake, &format!("{}/token", fake.url()));
    fake.answer(PULL_TOKEN, json!({"token": "pull"}));
    let challenge = format!("Bearer realm=\"{}/token\"", fake.url());
    fake.tags("private", &[]).needs("Bearer x", &challenge);
    fake.answer("/token?scope=repository%3Aprivate%3Apull", json!("")).status(401);
    fake.answer("/token?scope=repository%3Aprivate%3Apull&service=fake", json!("")).status(401);
    let mut instance = instance(&fake.url());
    instance["oci"]["repositories"] = json!(["private", "team/a"]);
    let summary = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_summary!(summary, added = 1, complete = false);
    let error = summary["errors"][0].as_str().unwrap();
    assert!(error.starts_with("private: ") && error.contains("private or not there"), "{error}");
}

#[tokio::test]
async fn ecr_registry_is_logged_in_to_without_a_secret() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let fake = FakeRegistry::start().await;
    // moto's GetAuthorizationToken returns this login if the request names no account.
    let login = "Basic QVdTOjEyMzQ1Njc4OTAxMi1hdXRoLXRva2Vu";
    fake.catalog(&["team/a"]).needs(login, "Basic realm=\"ecr\"");
    fake.tags("team/a", &["1.0.0"]).needs(login, "Basic realm=\"ecr\"");
    fake.chart("team/a", "1.0.0", "x").needs(login, "Basic realm=\"ecr\"");
    let endpoint = fake.url();
    let settings =
        [("AWS_ENDPOINT_URL_ECR", moto.settings()[0].1), ("ECR_REGISTRY_ENDPOINT", &endpoint)];
    let function = stack.oci_poll_with(&settings).await;
    let instance = instance("https://123456789012.dkr.ecr.us-east-1.amazonaws.com");
    for added in [1, 0] {
        let summary = function.invoke(&instance).await.unwrap();
        assert_summary!(summary, added = added, complete = true);
    }
    // The first request finds out whether the endpoint requires a login. ECR itself always requires
    // one.
    let asked = fake.asked();
    assert!(
        asked.iter().skip(1).all(|asked| asked.authorization.as_deref() == Some(login)),
        "{asked:?}"
    );
    let sql = "SELECT domain_name || ' ' || provider FROM helm_registries";
    let row: String = stack.rows.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(row, "123456789012.dkr.ecr.us-east-1.amazonaws.com Ecr");
}
