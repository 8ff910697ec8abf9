//! The AWS calls of the functions, recorded on their way to the stand-ins, against the policies of
//! the plan. Here one run of each function is compared. `make test` compares the calls of all
//! tests.

use std::sync::Arc;

use serde_json::{Value, json};
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::moto::Moto;
use tests::rights::{self, AwsRequest, Comparison, Right};
use tests::terraform::Module;
use url::Url;

use crate::support::admin_site::client;
use crate::support::aws_proxy::AwsProxy;
use crate::support::stack::{Stack, batch, event};

const PLATFORM: &str = "arn:aws:iam::123456789012:role/platform";

/// A stack with the secrets in moto, and a proxy in front of each service.
struct Site {
    stack: Stack,
    moto: Moto,
    services: AwsProxy,
    cursor: AwsProxy,
    app: String,
    owner: String,
    registry: String,
    webhook: String,
}

impl Site {
    async fn new() -> Self {
        let (stack, moto) = (Stack::new().await, Moto::start().await.unwrap());
        let url: Url = stack.database.url().parse().unwrap();
        let login = json!({"username": url.username(), "password": url.password().unwrap_or("x"),
            "host": url.host_str().unwrap(), "port": url.port().unwrap_or(5432),
            "dbname": url.path().trim_start_matches('/')});
        let app = moto.create_secret("app", &login).await.unwrap();
        let owner = moto.create_secret("owner", &login).await.unwrap();
        let password = json!({"username": "puller", "password": "letmein"});
        let registry = moto.create_secret("registry", &password).await.unwrap();
        let webhook = moto.create_secret("webhook", &json!({"secret": "s3cret"})).await.unwrap();
        let services = AwsProxy::start(&format!("{}/", moto.settings()[0].1)).await;
        let cursor = AwsProxy::start(stack.dynamodb.endpoint()).await;
        Self { stack, moto, services, cursor, app, owner, registry, webhook }
    }

    async fn function(&self, name: &'static str, secret: &str, more: &[(&str, &str)]) -> Function {
        let usual = [
            ("DATABASE_SECRET_ARN", secret),
            ("AWS_ENDPOINT_URL", self.services.url()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.cursor.url()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("ENABLE_TAG_PARSER", "true"),
        ];
        let more = [&usual[..], more].concat();
        Function::start(name, &more).await.unwrap()
    }

    /// Returns the instance of `oci-poll`, with the registry of the stack.
    fn instance(&self) -> Value {
        let url = self.stack.registry.url().unwrap().to_string();
        json!({"name": "mirror", "oci": {"registryUrl": url, "pollInterval": "59s 900ms",
            "credentialsSecretArn": self.registry}})
    }

    async fn plan(&self) -> Value {
        let mut mirror = self.instance();
        mirror["oci"]["webhookSecretArn"] = json!(self.webhook);
        let variables = json!({
            "home": {"partition": "aws", "region": "us-east-1", "account_id": "123456789012"},
            "database": {"secret_arn": self.app},
            "migrate_database": {"secret_arn": self.owner},
            "enable_tag_parser": true,
            "admin": {"principals": [PLATFORM], "site_admins": [PLATFORM]},
            "instances": [
                {"name": "prod", "ecrEvents": {"queueName": "charts", "regionName": "us-east-1"}},
                mirror,
            ],
        });
        Module::init("plan").await.unwrap().output(&variables).await.unwrap()
    }

    /// Checks that the policy of a role allows the recorded calls.
    async fn compare(&self, role: &str) {
        let plan = self.plan().await;
        let policy = plan["policies"]["functions"][role].as_str().unwrap();
        let policy = serde_json::from_str(policy).unwrap();
        let requests = [self.services.requests(), self.cursor.requests()].concat();
        let needed: Vec<Right> = requests.iter().flat_map(AwsRequest::rights).collect();
        assert!(!needed.is_empty(), "{role} makes no calls");
        assert_eq!(Comparison::of(role, &needed, &[policy]).denied, [], "{role}");
    }
}

#[tokio::test]
async fn poller_has_the_rights_that_it_uses() {
    let site = Site::new().await;
    let table = [("CURSOR_TABLE", tests::dynamodb::CURSOR_TABLE)];
    for version in ["1.0.0", "2.0.0"] {
        // A new process reads the cursor.
        let poller = site.function("oci-poll", &site.app, &table).await;
        site.stack.pusher.push_chart("team/api", version, version).await.unwrap();
        let summary = poller.invoke(&site.instance()).await.unwrap();
        assert_eq!(summary["added"], 1, "{summary}");
    }
    site.compare("oci-poll").await;
}

#[tokio::test]
async fn follower_of_ecr_has_the_rights_that_it_uses() {
    let site = Site::new().await;
    let endpoint = site.stack.registry.url().unwrap().to_string();
    let follower =
        site.function("ecr-events", &site.app, &[("ECR_REGISTRY_ENDPOINT", &endpoint)]).await;
    site.moto.create_repository("team/api").await.unwrap();
    site.moto.put_image("team/api", "1.0.0").await.unwrap();
    let digest = site.stack.pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    let push = event("PUSH", "team/api", Some("1.0.0"), &digest).to_string();
    follower.invoke(&batch(&[push])).await.unwrap();
    let backfill = json!({"backfill": {"region": "us-east-1"}});
    assert_eq!(follower.invoke(&backfill).await.unwrap()["complete"], true);
    site.compare("ecr-events-prod").await;
}

#[tokio::test]
async fn migrate_and_tag_parser_have_the_rights_that_they_use() {
    let site = Site::new().await;
    site.function("migrate", &site.owner, &[]).await.invoke(&json!({})).await.unwrap();
    site.compare("migrate").await;
    let site = Site::new().await;
    site.function("tag-parser", &site.app, &[]).await.invoke(&json!({})).await.unwrap();
    site.compare("tag-parser").await;
}

#[tokio::test]
async fn admin_has_the_rights_that_it_uses() {
    let site = Site::new().await;
    let settings = [
        ("ADMIN_AUTH", "iam"),
        ("SITE_ADMINS", PLATFORM),
        ("TAG_PARSER_FUNCTION", "chart-discovery-tag-parser"),
    ];
    let admin = Arc::new(site.function("admin", &site.app, &settings).await);
    let caller = Some("arn:aws:sts::123456789012:assumed-role/platform/joe");
    let url = Endpoint::function_url(admin, caller).await.unwrap();
    let formats = format!("{}/api/v2/helm-tag-formats", url.url());
    let format = json!({"pattern": "^(?P<version>.+)$"}).to_string();
    let request = client().post(formats).header("content-type", "application/json").body(format);
    assert_eq!(request.send().await.unwrap().status(), 201);
    site.services.wait_for("Invoke").await;
    site.compare("admin").await;
}

/// The function gets the settings of the plan. SQS finds a queue by the name in its address.
#[tokio::test]
async fn taker_of_webhooks_has_the_rights_that_it_uses() {
    let site = Site::new().await;
    let queue = site.moto.create_queue("chart-discovery-hints").await.unwrap();
    let plan = site.plan().await;
    let planned = plan["functions"]["oci-events"]["environment"].as_object().unwrap();
    let planned = planned.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    let aws = [
        ("AWS_ENDPOINT_URL", site.services.url()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ];
    let settings: Vec<(&str, &str)> = planned.chain(aws).collect();
    let function = Arc::new(Function::start("oci-events", &settings).await.unwrap());
    let url = Endpoint::function_url(function, None).await.unwrap();
    let hook = format!("{}/mirror", url.url());
    let request = client().post(hook).header("authorization", "s3cret").body("{}");
    assert_eq!(request.send().await.unwrap().status(), 202);
    assert_eq!(site.moto.receive(&queue, 0).await.unwrap()[0]["hint"]["instance"], "mirror");
    site.compare("oci-events").await;
}

fn policy(action: &str, resource: &str) -> Value {
    json!({"Statement": [{"Effect": "Allow", "Action": [action], "Resource": [resource]}]})
}

#[test]
fn call_without_a_right_and_right_without_a_call_are_found() {
    let get = Right::new("dynamodb:GetItem", "table/a");
    let put = Right::new("dynamodb:PutItem", "table/a");
    let agreed = Comparison::of(
        "oci-poll",
        std::slice::from_ref(&get),
        &[policy("dynamodb:GetItem", "table/*")],
    );
    assert!(agreed.agrees(), "{agreed:?}");
    let policies = [policy("dynamodb:GetItem", "table/b"), policy("dynamodb:Query", "table/a")];
    let found = Comparison::of("oci-poll", &[get.clone(), put.clone()], &policies);
    assert_eq!(found.denied, [get, put]);
    assert_eq!(found.unused, ["dynamodb:Query"]);
}

/// Nothing in this file is the call of a function, except for one that its role may make.
#[tokio::test]
async fn recorded_calls_are_compared_with_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls");
    let call = |program: &str, action: &str, resource: &str| {
        json!({"program": program, "action": action, "resource": resource}).to_string() + "\n"
    };
    let queue = "arn:aws:sqs:us-east-1:123456789012:chart-discovery-hints";
    let lines = [
        call("oci-events", "sqs:SendMessage", queue),
        call("oci-events", "sqs:PurgeQueue", queue),
        call("migrate", "secretsmanager:GetSecretValue", "arn:another"),
    ];
    std::fs::write(&file, lines.concat()).unwrap();
    let found = rights::compare(&file).await.unwrap_err().to_string();
    let found: Vec<&str> = found.lines().collect();
    for expected in [
        format!("oci-events calls sqs:PurgeQueue on {queue}, and its role may not").as_str(),
        "oci-events may secretsmanager:GetSecretValue, and never does it",
        "migrate calls secretsmanager:GetSecretValue on arn:another, and its role may not",
        "oci-poll may dynamodb:PutItem, and never does it",
    ] {
        assert!(found.contains(&expected), "{expected}: {found:?}");
    }
    assert!(!found.iter().any(|line| line.contains("sqs:SendMessage")), "{found:?}");
}
