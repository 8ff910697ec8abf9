//! Why is this chart not there? Each cause is made, must be the first step that fails, and must be
//! gone when its remedy has been followed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE};
use tests::admin::Admin;
use tests::chart::{self, Archive};
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::moto::Moto;
use tests::registry;

use crate::support::admin_site::{client, read};
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{ECR, Stack, batch, count, event, instance};

const STEPS: [&str; 10] = [
    "instance",
    "reachable",
    "authorized",
    "listed",
    "tag",
    "manifest",
    "contents",
    "row",
    "kind",
    "freshness",
];

/// The functions, and the pages that ask them.
struct DiagnosisSite {
    stack: Stack,
    poll: Arc<Function>,
    ecr_events: Arc<Function>,
    admin: Admin,
    _lambda: Endpoint,
}

/// A step that failed.
#[derive(Debug)]
struct Cause {
    id: String,
    detail: String,
    remedy: String,
}

impl DiagnosisSite {
    async fn new() -> Self {
        Self::with(&[], &[]).await
    }

    /// With more settings for the functions.
    async fn with(of_poll: &[(&str, &str)], of_ecr: &[(&str, &str)]) -> Self {
        let stack = Stack::new().await;
        let poll = Arc::new(stack.oci_poll_with(of_poll).await);
        let ecr_events = Arc::new(stack.ecr_events_with(of_ecr).await);
        let lambda = Endpoint::lambda([Arc::clone(&poll), Arc::clone(&ecr_events)]).await.unwrap();
        let url = lambda.url();
        let usual = [("DATABASE_URL", stack.database.url())];
        let admin = Admin::start(&[&usual[..], &Endpoint::lambda_settings(&url)[..]].concat())
            .await
            .unwrap();
        Self { stack, poll, ecr_events, admin, _lambda: lambda }
    }

    /// The whole answer.
    async fn ask(&self, reference: &str) -> Value {
        let mut url = url::Url::parse(&format!("{}/api/v2/diagnose", self.admin.url())).unwrap();
        url.query_pairs_mut().append_pair("reference", reference);
        let (status, diagnosis) = read(client().get(url).send().await.unwrap()).await;
        assert_eq!(status, 200, "{diagnosis}");
        let steps = diagnosis["steps"].as_array().unwrap();
        assert_eq!(
            steps.iter().map(|step| step["id"].as_str().unwrap()).collect::<Vec<_>>(),
            STEPS
        );
        let failed = steps.iter().position(|step| step["ok"] == false);
        let verdict = failed.map_or("ok", |failed| STEPS[failed]);
        assert_eq!(diagnosis["verdict"], verdict);
        for (at, step) in steps.iter().enumerate() {
            assert_eq!(
                step["remedy"].is_string(),
                step["ok"] == false,
                "a remedy where there is something to do: {step}"
            );
            assert!(step["detail"].as_str().unwrap().len() > 10, "{step}");
            if at < 7 && failed.is_some_and(|failed| at > failed) {
                assert!(
                    step["ok"].is_null(),
                    "after the first live step that fails none is made: {diagnosis:#}"
                );
            }
        }
        diagnosis
    }

    /// The cause of it.
    async fn cause(&self, reference: &str) -> Cause {
        let diagnosis = self.ask(reference).await;
        let failed = diagnosis["steps"].as_array().unwrap().iter().find(|step| step["ok"] == false);
        assert!(failed.is_some(), "nothing is wrong: {diagnosis:#}");
        let step = failed.unwrap();
        let text = |field: &str| step[field].as_str().unwrap().to_owned();
        Cause { id: text("id"), detail: text("detail"), remedy: text("remedy") }
    }

    /// That the cause is in this step, and what it says.
    async fn expect(&self, reference: &str, id: &str, detail: &str, remedy: &str) -> Cause {
        let cause = self.cause(reference).await;
        assert_eq!(cause.id, id, "{reference}: {cause:?}");
        assert!(cause.detail.contains(detail), "{detail:?} is not in {cause:?}");
        assert!(cause.remedy.contains(remedy), "{remedy:?} is not in {cause:?}");
        cause
    }

    /// Follows a remedy that names a payload, as it says.
    async fn follow(&self, remedy: &str) {
        let (before, payload) = remedy.split_at(remedy.find('{').unwrap());
        let payload = payload.rsplit_once('}').map(|(payload, _)| format!("{payload}}}")).unwrap();
        let function =
            if before.contains("invoke oci-poll") { &self.poll } else { &self.ecr_events };
        function.invoke(&serde_json::from_str(&payload).unwrap()).await.unwrap();
    }

    /// That nothing is wrong.
    async fn expect_ok(&self, reference: &str) {
        let diagnosis = self.ask(reference).await;
        assert_eq!(diagnosis["verdict"], "ok", "{reference}: {diagnosis:#}");
    }

    async fn poll(&self, instance: &Value) -> Value {
        self.poll.invoke(instance).await.unwrap()
    }
}

/// A registry with one chart in it.
async fn one_chart() -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    fake.catalog(&["team/api"]);
    fake.tags("team/api", &["1.0.0"]);
    fake.chart("team/api", "1.0.0", "x");
    fake
}

fn with(url: &str, settings: &Value) -> Value {
    let mut instance = instance(url);
    for (name, value) in settings.as_object().unwrap() {
        instance["oci"][name] = value.clone();
    }
    instance
}

fn api(fake: &FakeRegistry) -> String {
    format!("oci://{}/team/api:1.0.0", fake.url().strip_prefix("http://").unwrap())
}

/// A manifest that is no chart's, for the media type of its config.
fn manifest(config: &str) -> Value {
    json!({"config": {"mediaType": config}, "layers": []})
}

#[tokio::test]
async fn what_is_configured_wrongly_is_named_and_right_afterwards() {
    let desk = DiagnosisSite::new().await;
    let fake = one_chart().await;
    let (url, reference) = (fake.url(), api(&fake));
    desk.expect(&reference, "instance", "No instance has run yet", "configure an instance").await;

    // Not followed.
    for (settings, detail, remedy) in [
        (json!({"exclude": ["team/*"]}), "oci.exclude leaves team/api out", "oci.exclude"),
        (json!({"repositories": ["other/*"]}), "oci.repositories has neither", "Add \"team/api\""),
    ] {
        desk.poll(&with(&url, &settings)).await;
        desk.expect(&reference, "listed", detail, remedy).await;
    }
    desk.poll(&with(&url, &json!({"repositories": ["other/*", "team/api"]}))).await;
    desk.expect_ok(&reference).await;

    // Listed by no catalog, for one reason or another: followed by its name.
    for (status, detail) in [
        (404, "no catalog"),
        (401, "no catalog"),
        (405, "no catalog"),
        (200, "lists 0 repositories"),
    ] {
        fake.catalog(&[]).status(status);
        desk.poll(&instance(&url)).await;
        desk.expect(
            &reference,
            "listed",
            detail,
            "Name \"team/api\" in the instance's oci.repositories",
        )
        .await;
    }
    desk.poll(&with(&url, &json!({"repositories": ["team/api"]}))).await;
    desk.expect_ok(&reference).await;

    // Another registry.
    let cause = desk
        .expect(
            "quay.io/team/api:1",
            "instance",
            &format!("Watched are {url}"),
            "instance for quay.io",
        )
        .await;
    assert!(cause.detail.contains("quay.io"), "{cause:?}");
    let gone = with("http://127.0.0.1:1", &json!({"domain": "registry.example.com"}));
    desk.poll(&gone).await;
    desk.expect(
        "registry.example.com/team/api:1.0.0",
        "reachable",
        "http://127.0.0.1:1",
        "oci.registryUrl",
    )
    .await;
    desk.poll(&with(
        &url,
        &json!({"domain": "registry.example.com", "repositories": ["team/api"]}),
    ))
    .await;
    desk.expect_ok("registry.example.com/team/api:1.0.0").await;
    // By its address as well; the rows are found under their own name.
    desk.expect_ok(&reference).await;

    // Of several instances the one that names it, whatever comes first by name; and none that was
    // removed.
    let named = |name: &str, settings: Value| {
        let mut instance = with(&url, &settings);
        instance["name"] = json!(name);
        instance
    };
    fake.catalog(&[]).status(404);
    desk.poll(&named("a", json!({}))).await;
    desk.poll(&named("b", json!({"repositories": ["team/api"]}))).await;
    desk.poll(&named("0", json!({"repositories": ["team/api"]}))).await;
    let long_ago = "UPDATE discovery_instances SET last_started_at = now() - interval '9 days', \
         last_succeeded_at = NULL
        WHERE name IN ('0', 'test')";
    desk.stack.rows.execute(long_ago, &[]).await.unwrap();
    let diagnosis = desk.ask(&reference).await;
    assert_eq!(
        diagnosis["steps"][0]["detail"], "The instance b watches it, with the function oci-poll.",
        "{diagnosis:#}"
    );
    // A name that stands for another one is taken as it is first.
    desk.poll(&named("hub", json!({"domain": "docker.io", "repositories": ["team/api"]}))).await;
    assert_eq!(desk.ask("docker.io/team/api:1.0.0").await["verdict"], "ok");
    desk.expect(
        "index.docker.io/team/api:1.0.0",
        "instance",
        "registry-1.docker.io",
        "instance for registry-1.docker.io",
    )
    .await;
}

#[tokio::test]
async fn what_a_registry_refuses_is_named_and_right_afterwards() {
    let moto = Moto::start().await.unwrap();
    let desk =
        DiagnosisSite::with(&[("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto.settings()[0].1)], &[])
            .await;
    let fake = one_chart().await;
    let (url, reference) = (fake.url(), api(&fake));
    desk.poll(&instance(&url)).await;
    desk.expect_ok(&reference).await;

    let tags = || fake.tags("team/api", &["1.0.0"]);
    tags().status(403);
    desk.expect(&reference, "authorized", "403 Forbidden", "oci.credentialsSecretArn").await;
    tags().status(429);
    desk.expect(&reference, "reachable", "429 Too Many Requests", "oci.pollInterval").await;
    tags().status(503);
    desk.expect(&reference, "reachable", "503 Service Unavailable", "registry's own log").await;
    tags().status(404);
    desk.expect(
        &reference,
        "listed",
        "shows no repository team/api",
        "mistype in the repository's name",
    )
    .await;
    // A long list is done without; where nothing comes at all it is the registry.
    tags().hang();
    let slow = desk.ask(&reference).await;
    assert_eq!(
        (&slow["verdict"], &slow["steps"][3]["ok"]),
        (&json!("ok"), &Value::Null),
        "{slow:#}"
    );
    fake.chart("team/api", "1.0.0", "x").hang();
    desk.expect(&reference, "reachable", "no complete answer within 10 s", "overloaded").await;
    tags();
    fake.chart("team/api", "1.0.0", "x");
    // A catalog that does not come is done without as well.
    fake.catalog(&["team/api"]).hang();
    assert_eq!(desk.ask(&reference).await["verdict"], "ok");
    fake.catalog(&["team/api"]);
    desk.expect_ok(&reference).await;
    // Where it shows only later, it is the same cause.
    fake.chart("team/api", "1.0.0", "x").status(403);
    desk.expect(
        &reference,
        "authorized",
        "manifests/1.0.0 answered 403",
        "oci.credentialsSecretArn",
    )
    .await;
    fake.chart("team/api", "1.0.0", "x").status(404);
    desk.expect(&reference, "tag", "404 Not Found", "mistype").await;
    fake.chart("team/api", "1.0.0", "x");
    fake.tags("team/api", &["1.0.1"]);
    desk.expect(
        &reference,
        "tag",
        "list of tags does not name it",
        "why the registry leaves it out",
    )
    .await;

    // A login is wanted: the secret is wrong, then not there, then right.
    let registry =
        tests::registry::Registry::start_with(registry::Options { login: true, on_disk: false })
            .await
            .unwrap();
    let pusher = tests::push::Pusher::as_user(registry.host(), registry::USER).unwrap();
    pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    let (url, reference) =
        (registry.url().unwrap().to_string(), format!("{}/team/api:1.0.0", registry.host()));
    desk.poll(&instance(&url)).await;
    desk.expect(&reference, "authorized", "401 Unauthorized", "into oci.credentialsSecretArn")
        .await;
    let secret = async |name: &str, password: &str| {
        moto.create_secret(name, &json!({"username": registry::USER.0, "password": password}))
            .await
            .unwrap()
    };
    let (wrong, right) = (secret("wrong", "x").await, secret("right", registry::USER.1).await);
    desk.poll(&with(&url, &json!({"credentialsSecretArn": wrong}))).await;
    desk.expect(&reference, "authorized", "401 Unauthorized", "Renew what is in the secret").await;
    desk.poll(&with(
        &url,
        &json!({"credentialsSecretArn":
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:none"}),
    ))
    .await;
    desk.expect(
        &reference,
        "authorized",
        "oci.credentialsSecretArn cannot be used",
        "secretsmanager:GetSecretValue",
    )
    .await;
    desk.poll(&with(&url, &json!({"credentialsSecretArn": right, "caFile": "/nowhere.pem"}))).await;
    desk.expect(&reference, "reachable", "oci.caFile cannot be used", "oci.caFile").await;
    desk.poll(&with(&url, &json!({"credentialsSecretArn": right}))).await;
    desk.expect_ok(&reference).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_chart_is_named_and_right_afterwards() {
    let desk = DiagnosisSite::new().await;
    let fake = one_chart().await;
    let (url, reference) = (fake.url(), api(&fake));
    let usual = instance(&url);
    let put = |manifest: Value| fake.answer("/v2/team/api/manifests/1.0.0", manifest);
    put(manifest("application/vnd.acme.config.v1+json"));
    desk.poll(&usual).await;
    desk.expect(&reference, "manifest", "application/vnd.acme.config.v1+json", CONFIG_MEDIA_TYPE)
        .await;
    put(manifest("application/vnd.oci.image.config.v1+json"));
    desk.expect(&reference, "manifest", "container image", "helm push").await;
    put(json!({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}));
    desk.expect(&reference, "manifest", "container image", "helm push").await;
    // Pushed rightly under the same tag: the poller does not know yet.
    fake.chart("team/api", "1.0.0", "x");
    let cause = desk.expect(&reference, "row", "it had another one", "look at freshness").await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&reference).await;

    // A mistype, with what was meant.
    fake.absent("team/api", "1.0.O");
    fake.absent("team/api", "v1.0.0");
    let place = reference.strip_suffix("1.0.0").unwrap();
    for mistyped in ["1.0.O", "v1.0.0"] {
        desk.expect(
            &format!("{place}{mistyped}"),
            "tag",
            &format!("no tag {mistyped}"),
            "there is 1.0.0.",
        )
        .await;
    }

    // Broken, and mended under a new version.
    let broken = Archive::new().file("chart/values.yaml", "x: 1\n").pack();
    fake.tags("team/api", &["1.0.0", "1.1.0"]);
    fake.chart_of_size("team/api", "1.1.0", &broken, broken.len());
    desk.poll(&usual).await;
    let reference = format!("{place}1.1.0");
    desk.expect(&reference, "contents", "the archive has no Chart.yaml", "under a new version")
        .await;
    assert_eq!(
        desk.ask(&reference).await["steps"][7]["detail"],
        "The row has this digest. It is available, and shown as BROKEN."
    );
    fake.tags("team/api", &["1.0.0", "1.1.0", "1.1.1"]);
    fake.chart("team/api", "1.1.1", "y");
    let mended = format!("{place}1.1.1");
    desk.expect(&mended, "row", "nobody has looked at the tag", "wait for 1 minute").await;
    desk.poll(&usual).await;
    desk.expect_ok(&mended).await;

    // The manifest is there and its layer is not.
    fake.tags("team/api", &["2.0.0"]);
    let layer = shared::domain::Digest::sha256(b"2").to_string();
    let size = chart::plain().len();
    fake.answer(
        "/v2/team/api/manifests/2.0.0",
        json!({"config": {"mediaType": CONFIG_MEDIA_TYPE}, "layers": [{"mediaType":
            CHART_MEDIA_TYPE, "digest": layer, "size": size}]}),
    );
    let reference = format!("{place}2.0.0");
    desk.expect(&reference, "contents", "/blobs/", "push the chart again").await;
    fake.chart("team/api", "2.0.0", "z");
    desk.poll(&usual).await;
    desk.expect_ok(&reference).await;
    // Without a tag, and by digest.
    desk.expect_ok(place.strip_suffix(':').unwrap()).await;
    let rows = &desk.stack.rows;
    let digest: String = rows
        .query_one("SELECT image_digest FROM helm_charts WHERE image_tag = '2.0.0'", &[])
        .await
        .unwrap()
        .get(0);
    let by_digest = format!("{}@{digest}", place.strip_suffix(':').unwrap());
    fake.answer(&format!("/v2/team/api/manifests/{digest}"), json!({}));
    desk.expect(&by_digest, "manifest", "bytes of digest", "not what a registry answers").await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn what_the_rows_miss_is_named_and_right_afterwards() {
    let desk = DiagnosisSite::new().await;
    let stack = &desk.stack;
    let usual = stack.instance();
    let place = format!("{}/team/api", stack.registry.host());
    let first = stack.pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    desk.poll(&usual).await;
    let reference = format!("{place}:1.0.0");
    desk.expect_ok(&reference).await;

    // Deleted by hand.
    stack.rows.execute("DELETE FROM helm_charts", &[]).await.unwrap();
    desk.poll(&usual).await;
    let cause =
        desk.expect(&reference, "row", "deleted the row by hand", "invoke oci-poll with").await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&reference).await;

    // Found broken by a version that could read less.
    stack.rows.execute("UPDATE helm_charts SET error = 'too new'", &[]).await.unwrap();
    let cause = desk
        .expect(&reference, "row", "BROKEN, and it can be read now", "invoke oci-poll with")
        .await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&reference).await;

    // Moved.
    stack.pusher.push_chart("team/api", "1.0.0", "y").await.unwrap();
    let cause = desk.expect(&reference, "row", "The tag has moved", "oci.verifyInterval").await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&reference).await;
    let before = format!("{place}@{first}");
    desk.expect(&before, "row", "has another one now", ":1.0.0").await;

    // Overwritten by something else.
    stack.pusher.push_image("team/api", "1.0.0", "i").await.unwrap();
    let overwritten = desk.ask(&reference).await;
    assert_eq!(
        (&overwritten["verdict"], &overwritten["steps"][7]["ok"]),
        (&json!("manifest"), &json!(false))
    );
    desk.follow(overwritten["steps"][7]["remedy"].as_str().unwrap()).await;
    assert_eq!(desk.ask(&reference).await["steps"][7]["detail"], "The row is DELETED.");

    // Held back: a mass goes at once.
    let mut digests = Vec::new();
    for n in 0..15 {
        digests.push(
            stack.pusher.push_chart("team/web", &format!("1.{n}.0"), &n.to_string()).await.unwrap(),
        );
    }
    desk.poll(&usual).await;
    for digest in &digests {
        stack.pusher.delete("team/web", digest).await.unwrap();
    }
    assert_eq!(desk.poll(&usual).await["held"], 15);
    let held = format!("{}/team/web:1.3.0", stack.registry.host());
    let diagnosis = desk.ask(&held).await;
    let row = &diagnosis["steps"][7];
    assert_eq!(
        (&diagnosis["verdict"], &row["ok"]),
        (&json!("tag"), &json!(false)),
        "{diagnosis:#}"
    );
    assert!(row["detail"].as_str().unwrap().contains("held back"), "{row}");
    assert!(row["remedy"].as_str().unwrap().contains("still missing 1h after that"), "{row}");
    desk.follow(row["remedy"].as_str().unwrap()).await;
    assert_eq!(desk.ask(&held).await["steps"][7]["detail"], "The row is DELETED.");

    // Discovery does not run, or not rightly.
    stack.pusher.push_chart("team/api", "2.0.0", "x").await.unwrap();
    desk.poll(&usual).await;
    let reference = format!("{place}:2.0.0");
    let set = async |what: &str| {
        stack.rows.execute(&format!("UPDATE discovery_instances SET {what}"), &[]).await.unwrap();
    };
    set("last_started_at = now() - interval '1 hour'").await;
    desk.expect(
        &reference,
        "freshness",
        "1 hour ago, and there should be one every 1 minute",
        "instance's schedule",
    )
    .await;
    set("last_started_at = now(), last_succeeded_at = NULL, last_error = 'team/x: 500'").await;
    let elsewhere = desk.ask(&reference).await;
    let freshness = &elsewhere["steps"][9];
    assert_eq!(
        (&elsewhere["verdict"], &freshness["ok"]),
        (&json!("ok"), &json!(true)),
        "{elsewhere:#}"
    );
    assert!(
        freshness["detail"].as_str().unwrap().ends_with("does not concern this chart. team/x: 500"),
        "{freshness}"
    );
    let diagnosis = desk.ask(&format!("{place}:9.9.9")).await;
    assert!(
        diagnosis["steps"][9]["detail"]
            .as_str()
            .unwrap()
            .ends_with("did not read everything. team/x: 500")
    );
    assert_eq!(diagnosis["steps"][9]["ok"], false);
    set("last_started_at = NULL").await;
    desk.expect(&reference, "freshness", "not over yet", "Wait for a minute").await;
    desk.poll(&usual).await;
    desk.expect_ok(&reference).await;

    // The function cannot be asked.
    set("function_name = 'gone'").await;
    desk.expect(&reference, "instance", "Function not found: gone", "removed or renamed").await;
    set("configuration = '{\"name\": \"x\"}', function_name = 'oci-poll'").await;
    desk.expect(&reference, "instance", "provider", "function's log").await;
    set("configuration = NULL").await;
    desk.expect(&reference, "instance", "has not run since this version", "schedule").await;
    desk.poll(&usual).await;
    desk.expect_ok(&reference).await;
}

#[tokio::test]
async fn what_ecr_events_misses_is_named_and_right_afterwards() {
    let desk = DiagnosisSite::with(&[], &[("ECR_ACCOUNTS", "123456789012")]).await;
    let stack = &desk.stack;
    let digest = stack.pusher.push_chart("shop/orders", "1.0.0", "x").await.unwrap();
    let reference = format!("{ECR}/shop/orders:1.0.0");
    desk.expect(&reference, "instance", "No instance", "configure an instance").await;
    let push = async |tag: &str| {
        let answer = desk
            .ecr_events
            .invoke(&batch(&[event("PUSH", "shop/orders", Some(tag), &digest).to_string()]))
            .await;
        assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
    };
    push("1.0.0").await;
    desk.expect_ok(&reference).await;
    let health =
        "SELECT count(*) FROM discovery_instances WHERE name = 'ecr-us-east-1' AND source \
                  = 'us-east-1'
        AND function_name = 'ecr-events' AND last_event_at > now() - interval '1 minute'";
    assert_eq!(count(&stack.rows, health).await, 1);

    // An event that was lost.
    stack.pusher.push_chart("shop/orders", "1.1.0", "y").await.unwrap();
    let lost = format!("{ECR}/shop/orders:1.1.0");
    let cause =
        desk.expect(&lost, "row", "nobody has looked at the tag", "invoke ecr-events with").await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&lost).await;

    // Another account, another region, a repository that is not there.
    let other = ECR.replace("123456789012", "210987654321");
    desk.expect(
        &format!("{other}/shop/orders:1.0.0"),
        "listed",
        "not in ECR_ACCOUNTS",
        "Add the account",
    )
    .await;
    let elsewhere = ECR.replace("us-east-1", "eu-west-1");
    desk.expect(
        &format!("{elsewhere}/shop/orders:1.0.0"),
        "instance",
        "Watched are ECR in us-east-1",
        "eu-west-1",
    )
    .await;
    desk.expect(&format!("{ECR}/shop/none:1.0.0"), "listed", "NAME_UNKNOWN", "mistype").await;

    // Nothing comes any more.
    let set = async |what: &str| {
        stack.rows.execute(&format!("UPDATE discovery_instances SET {what}"), &[]).await.unwrap();
    };
    set("last_event_at = now() - interval '3 days'").await;
    desk.expect(&reference, "freshness", "came: 3 days ago", "EventBridge rule").await;
    set("last_succeeded_at = now(), last_error = NULL").await;
    desk.expect_ok(&reference).await;
    set("last_error = 'shop/x: 403'").await;
    desk.expect_ok(&reference).await;
    let missing = desk.ask(&format!("{ECR}/shop/orders:9.9.9")).await;
    assert!(
        missing["steps"][9]["remedy"].as_str().unwrap().contains("every ten minutes"),
        "{missing:#}"
    );
}

#[tokio::test]
async fn what_is_no_reference_is_refused_and_a_registry_is_asked_four_times() {
    let desk = DiagnosisSite::new().await;
    let url = format!("{}/api/v2/diagnose", desk.admin.url());
    for (query, named) in [
        ("", "reference"),
        ("?reference=", "empty"),
        ("?reference=ghcr.io", "no repository"),
        ("?reference=ghcr.io/Api:1", "lower-case"),
        ("?reference=ghcr.io/My-Org/api:1", "lower-case"),
        ("?reference=team/api:1", "begin with it, as in ghcr.io/team/api"),
        ("?reference=a/b:1&tag=1", "tag"),
        ("?reference=%00/b:1", "no registry"),
    ] {
        let (status, problem) =
            read(client().get(format!("{url}{query}")).send().await.unwrap()).await;
        assert_eq!(status, 400, "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(named), "{query}: {problem}");
    }
    // A registry that takes its time is waited for, and no request to it comes from here.
    let fake = one_chart().await;
    fake.tags("team/api", &["1.0.0"]).slow(Duration::from_millis(300));
    desk.poll(&instance(&fake.url())).await;
    let before = fake.asked().len();
    desk.expect_ok(&api(&fake)).await;
    assert_eq!(
        fake.asked().len() - before,
        4,
        "tags, catalog, manifest, layer: {:?}",
        fake.asked()
    );
}

#[tokio::test]
async fn for_ecr_a_chart_that_may_be_pulled_is_seen_where_tags_may_not_be_listed() {
    let stack = Stack::new().await;
    let fake = one_chart().await;
    fake.tags("team/api", &["1.0.0"]).status(403);
    let function = stack.ecr_events_at(&fake.url()).await;
    let instance =
        json!({"name": "x", "provider": "ecr", "ecrEvents": {"regionName": "us-east-1"}});
    let asked = |tag: Option<&str>| {
        json!({"instance": instance, "diagnose": {"registry": ECR,
        "repository": "team/api", "tag": tag}})
    };
    let verdicts = async |tag| {
        let live = function.invoke(&asked(tag)).await.unwrap();
        let steps = live["steps"].as_array().unwrap().clone();
        steps
            .iter()
            .map(|step| format!("{} {}", step["id"].as_str().unwrap(), step["ok"]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let all =
        "listed true, reachable true, authorized true, tag true, manifest true, contents true";
    assert_eq!(verdicts(Some("1.0.0")).await, all);
    assert_eq!(verdicts(None).await, "authorized false", "nothing else tells of a repository");
    fake.chart("team/api", "1.0.0", "x").status(403);
    assert_eq!(verdicts(Some("1.0.0")).await, "authorized false");
}
