//! The AWS calls of the functions, recorded on their way to the stand-ins, against the policies of
//! the plan: each call is allowed, and each allowed action is seen or explained.

use std::sync::Arc;

use serde_json::{Value, json};
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::moto::Moto;
use tests::terraform::Module;
use url::Url;

use crate::support::admin_site::client;
use crate::support::aws_proxy::{AwsProxy, Request};
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
        let services = AwsProxy::start(&format!("{}/", moto.settings()[0].1)).await;
        let cursor = AwsProxy::start(stack.dynamodb.endpoint()).await;
        Self { stack, moto, services, cursor, app, owner, registry }
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

    /// Compares the recorded calls with the policy of a role.
    async fn compare(&self, role: &str) {
        let variables = json!({
            "home": {"partition": "aws", "region": "us-east-1", "account_id": "123456789012"},
            "database": {"secret_arn": self.app},
            "migrate_database": {"secret_arn": self.owner},
            "enable_tag_parser": true,
            "admin": {"principals": [PLATFORM], "site_admins": [PLATFORM]},
            "instances": [
                {"name": "prod", "ecrEvents": {"queueName": "charts", "regionName": "us-east-1"}},
                self.instance(),
            ],
        });
        let plan = Module::init("plan").await.unwrap().output(&variables).await.unwrap();
        let policy = plan["policies"]["functions"][role].as_str().unwrap();
        let allowed = allowed_by(&serde_json::from_str(policy).unwrap());
        let requests = [self.services.requests(), self.cursor.requests()].concat();
        let needed: Vec<Right> = requests.iter().flat_map(rights_of).collect();
        for right in &needed {
            assert!(allowed.iter().any(|allowed| allowed.covers(right)), "{role}: {right:?}");
        }
        for Right { action, .. } in &allowed {
            let is_seen = needed.iter().any(|needed| needed.action == *action);
            let is_explained = EXPLAINED.iter().any(|(explained, _)| explained == action);
            assert!(is_seen || is_explained, "{role} may {action}, and never does it");
        }
    }
}

/// An action on a resource.
#[derive(Debug)]
struct Right {
    action: String,
    resource: String,
}

impl Right {
    fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into() }
    }

    /// Tells whether this right allows a call. A `*` is at the end of a resource only.
    fn covers(&self, call: &Self) -> bool {
        let is_resource = match self.resource.strip_suffix('*') {
            Some(beginning) => call.resource.starts_with(beginning),
            None => call.resource == self.resource,
        };
        self.action == call.action && is_resource
    }
}

/// The rights that no call of the SDK uses, each with the reason.
const EXPLAINED: [(&str, &str); 9] = [
    ("logs:CreateLogStream", "Lambda writes the log with the role of the function"),
    ("logs:PutLogEvents", "Lambda writes the log with the role of the function"),
    ("sqs:DeleteMessage", "Lambda reads the queue with the role of the function"),
    ("sqs:GetQueueAttributes", "Lambda reads the queue with the role of the function"),
    ("sqs:ReceiveMessage", "Lambda reads the queue with the role of the function"),
    ("ecr:GetAuthorizationToken", "a registry on http, as in this test, gets no token"),
    ("ecr:BatchGetImage", "ECR asks for it when the function gets a manifest over HTTP"),
    ("ecr:GetDownloadUrlForLayer", "ECR asks for it when the function gets a blob over HTTP"),
    ("ecr:ListImages", "ECR asks for it when the function lists tags over HTTP"),
];

/// Lists the rights that a policy gives.
fn allowed_by(policy: &Value) -> Vec<Right> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    let mut allowed = Vec::new();
    for statement in list(&policy["Statement"]) {
        for action in list(&statement["Action"]) {
            for resource in list(&statement["Resource"]) {
                allowed.push(Right::new(action.as_str().unwrap(), resource.as_str().unwrap()));
            }
        }
    }
    allowed
}

/// Lists the rights that a call needs.
fn rights_of(request: &Request) -> Vec<Right> {
    let Request { target, body } = request;
    let (service, operation) = target.rsplit_once('.').unwrap_or((target, "Invoke"));
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let arn =
        |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:123456789012:{rest}");
    match service {
        "secretsmanager" => {
            vec![Right::new(format!("secretsmanager:{operation}"), text("SecretId"))]
        }
        "AmazonEC2ContainerRegistry_V20150921" if operation == "GetAuthorizationToken" => {
            vec![Right::new("ecr:GetAuthorizationToken", "*")]
        }
        "AmazonEC2ContainerRegistry_V20150921" => {
            let repository = arn("ecr", &format!("repository/{}", text("repositoryName")));
            vec![Right::new(format!("ecr:{operation}"), repository)]
        }
        "DynamoDB_20120810" if operation == "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().unwrap();
            let writes = items.iter().flat_map(|item| item.as_object().unwrap());
            writes
                .map(|(write, item)| {
                    let action = match write.as_str() {
                        "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
                        other => format!("dynamodb:{other}Item"),
                    };
                    let table = item["TableName"].as_str().unwrap();
                    Right::new(action, arn("dynamodb", &format!("table/{table}")))
                })
                .collect()
        }
        "DynamoDB_20120810" => {
            let table = arn("dynamodb", &format!("table/{}", text("TableName")));
            vec![Right::new(format!("dynamodb:{operation}"), table)]
        }
        path => {
            let name = path.split('/').nth_back(1).unwrap();
            vec![Right::new("lambda:InvokeFunction", arn("lambda", &format!("function:{name}")))]
        }
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
