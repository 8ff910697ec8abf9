//! Compares the resources that the Terraform module would deploy with the functions and with
//! emulators of AWS. The tests need no AWS account, because they evaluate only the modules without
//! a provider.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared::metrics::{Metric, NAMESPACE};
use tests::function::Function;
use tests::moto::Moto;
use tests::terraform::{self, Module};

use crate::support::assert_summary::assert_summary;
use crate::support::stack::Stack;

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:";

/// Returns the variables of a deployment of these instances, with every option enabled.
fn variables(instances: &Value) -> Value {
    json!({
        "home": {"partition": "aws", "region": "us-east-1", "account_id": "123456789012"},
        "database": {"secret_arn": format!("{SECRET}app-AbCdEf")},
        "migrate_database": {"secret_arn": format!("{SECRET}owner-AbCdEf")},
        "enable_tag_parser": true,
        "admin": {"principals": ["arn:aws:iam::123456789012:role/platform"], "site_admins":
            ["arn:aws:iam::123456789012:role/platform"]},
        "instances": instances,
    })
}

/// Returns one instance per provider.
fn seed() -> Value {
    json!([
        {"name": "prod-ecr", "provider": "ecr",
            "ecrEvents": {"queueName": "platz-chart-events", "regionName": "us-east-1"},
            "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn":
                "arn:aws:iam::123456789012:role/x"}}},
        {"name": "ghcr-mirror", "provider": "oci", "oci": {"registryUrl": "https://ghcr.io",
            "pollInterval": "30s",
            "credentialsSecretArn": format!("{SECRET}ghcr-AbCdEf")}},
    ])
}

async fn plan(instances: &Value) -> Value {
    Module::init("plan").await.unwrap().output(&variables(instances)).await.unwrap()
}

/// Parses JSON within JSON.
fn document(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

#[tokio::test]
async fn every_file_is_formatted() {
    terraform::check_format().await.unwrap();
}

/// Runs a script of the module that only checks.
async fn check_with(script: &str) {
    let script = tests::tools::workspace().join("infra/scripts").join(script);
    let mut command = tokio::process::Command::new(tests::tools::python().unwrap());
    let checked = command.arg(script).arg("--check").output().await.unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[tokio::test]
async fn tables_of_the_readmes_are_current() {
    check_with("tables.py").await;
}

#[tokio::test]
async fn figures_of_the_costs_follow_from_the_code() {
    check_with("costs.py").await;
}

#[tokio::test]
async fn tests_of_the_modules_pass() {
    for (module, runs) in [("pattern", 7), ("policies", 15), ("plan", 102)] {
        let printed = Module::init(module).await.unwrap().test().await.unwrap();
        assert!(
            printed.contains(&format!("Success! {runs} passed, 0 failed.")),
            "{module}: {printed}"
        );
    }
}

/// Hostile input 42.
#[tokio::test]
async fn role_grants_only_the_calls_of_its_function() {
    let plan = plan(&seed()).await;
    let policies = plan["policies"]["functions"].as_object().unwrap();
    let expected = expected_grants();
    let roles: BTreeSet<&str> = policies.keys().map(String::as_str).collect();
    assert_eq!(roles, expected.keys().copied().collect());
    for (role, grants) in expected {
        let mut wanted: BTreeSet<Grant> = grants.into_iter().collect();
        let log = arn("logs", &format!("log-group:/aws/lambda/chart-discovery-{role}:*"));
        wanted.insert(Grant::new("logs:CreateLogStream", &log));
        wanted.insert(Grant::new("logs:PutLogEvents", &log));
        assert_eq!(granted(role, &document(&policies[role])), wanted, "{role}");
    }
}

/// Callers may invoke `admin` only through its URL, because `admin` trusts what the URL says about
/// the caller.
#[tokio::test]
async fn admin_is_invoked_only_through_its_function_url() {
    let plan = plan(&seed()).await;
    for permission in plan["admin"]["permissions"].as_object().unwrap().values() {
        let is_through_url = permission["invoked_via_function_url"] == true
            || permission["function_url_auth_type"] == "AWS_IAM";
        assert!(
            is_through_url && permission["principal"] == "arn:aws:iam::123456789012:role/platform",
            "{permission}"
        );
    }
}

/// An action that a role may use on a resource.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Grant {
    action: String,
    resource: String,
}

impl Grant {
    fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned() }
    }
}

fn arn(service: &str, rest: &str) -> String {
    format!("arn:aws:{service}:us-east-1:123456789012:{rest}")
}

/// Lists the actions that each role may use, except for writing the function's log.
fn expected_grants() -> BTreeMap<&'static str, Vec<Grant>> {
    let secret =
        |name: &str| Grant::new("secretsmanager:GetSecretValue", &format!("{SECRET}{name}-AbCdEf"));
    let invoke = |name: &str| {
        Grant::new(
            "lambda:InvokeFunction",
            &arn("lambda", &format!("function:chart-discovery-{name}")),
        )
    };
    let table = arn("dynamodb", "table/chart-discovery-cursor");
    let queue = arn("sqs", "platz-chart-events");
    let repositories = arn("ecr", "repository/*");
    BTreeMap::from([
        ("migrate", vec![secret("owner")]),
        ("tag-parser", vec![secret("app")]),
        (
            "admin",
            vec![
                secret("app"),
                invoke("tag-parser"),
                invoke("oci-poll"),
                invoke("ecr-events-prod-ecr"),
            ],
        ),
        (
            "oci-poll",
            vec![
                secret("app"),
                secret("ghcr"),
                Grant::new("dynamodb:GetItem", &table),
                Grant::new("dynamodb:PutItem", &table),
                Grant::new("dynamodb:Query", &table),
                Grant::new("dynamodb:UpdateItem", &table),
            ],
        ),
        (
            "ecr-events-prod-ecr",
            vec![
                secret("app"),
                Grant::new("sqs:DeleteMessage", &queue),
                Grant::new("sqs:GetQueueAttributes", &queue),
                Grant::new("sqs:ReceiveMessage", &queue),
                Grant::new("ecr:GetAuthorizationToken", "*"),
                Grant::new("ecr:BatchGetImage", &repositories),
                Grant::new("ecr:DescribeImages", &repositories),
                Grant::new("ecr:DescribeRepositories", &repositories),
                Grant::new("ecr:GetDownloadUrlForLayer", &repositories),
                Grant::new("ecr:ListImages", &repositories),
            ],
        ),
    ])
}

/// Returns the actions that a role's policy allows.
fn granted(role: &str, policy: &Value) -> BTreeSet<Grant> {
    let mut granted = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow", "{role}: {statement}");
        for action in texts(&statement["Action"]) {
            let resources = texts(&statement["Resource"]).into_iter();
            granted.extend(resources.map(|resource| Grant::new(action, resource)));
        }
    }
    granted
}

#[tokio::test]
async fn event_rule_passes_only_events_about_charts() {
    let plan = plan(&seed()).await;
    let moto = Moto::start().await.unwrap();
    let rule = moto
        .rule_to_queue(plan["rules"]["prod-ecr"]["event_pattern"].as_str().unwrap())
        .await
        .unwrap();
    for (sample, passes) in [
        ("ecr-image-push", true),
        ("ecr-image-push-without-media-types", true),
        ("ecr-image-delete", true),
        ("ecr-image-delete-without-tag", true),
        ("ecr-replication", true),
        ("ecr-image-archive", true),
        ("ecr-pull-through-cache", true),
        ("ecr-image-push-container-image", false),
        ("ecr-image-push-failed", false),
        ("ecr-image-scan", false),
    ] {
        let file = tests::tools::workspace().join(format!("events/{sample}.json"));
        let event: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let came = rule.send(&event).await.unwrap();
        assert_eq!(came.is_some(), passes, "{sample}: {came:?}");
        if let Some(came) = came {
            assert_eq!(
                (&came["detail-type"], &came["detail"]),
                (&event["detail-type"], &event["detail"]),
                "{sample}"
            );
        }
    }
}

#[tokio::test]
async fn each_instance_gets_its_rule_queue_and_schedule() {
    let plan = plan(&seed()).await;
    let queue = &plan["queues"]["prod-ecr"];
    assert_summary!(queue, name = "platz-chart-events", max_receive_count = 5);
    let timeout = plan["functions"]["ecr-events-prod-ecr"]["timeout"].as_u64().unwrap();
    assert_eq!(queue["visibility_timeout_seconds"], 6 * timeout);
    let mapping = &plan["event_source_mappings"]["prod-ecr"];
    assert_summary!(
        mapping,
        function = "ecr-events-prod-ecr",
        function_response_types = ["ReportBatchItemFailures"]
    );
    let schedules = plan["schedules"].as_object().unwrap();
    let schedule = |name: &str| {
        let planned = &schedules[name];
        (
            planned["expression"].as_str().unwrap(),
            planned["function"].as_str().unwrap(),
            document(&planned["input"]),
        )
    };
    let repair: Value =
        serde_json::from_str(include_str!("../../../events/ecr-repair.json")).unwrap();
    assert_eq!(schedule("repair-prod-ecr"), ("rate(10 minutes)", "ecr-events-prod-ecr", repair));
    assert_eq!(schedule("tag-parser"), ("rate(1 minute)", "tag-parser", json!({})));
    let mut polled = seed()[1].clone();
    assert_eq!(schedule("oci-poll-ghcr-mirror"), ("rate(1 minute)", "oci-poll", polled.take()));
    assert_eq!(schedules.len(), 3, "{schedules:?}");
    assert_eq!(plan["forwards"], json!([]));
}

#[tokio::test]
async fn instance_in_another_region_only_gets_a_forwarding_rule_there() {
    let abroad = json!([{"name": "x", "provider": "ecr", "ecrEvents": {"queueName": "q",
        "regionName": "eu-west-1"}}]);
    let plan = plan(&abroad).await;
    assert_eq!(plan["forwards"], json!(["eu-west-1"]));
    assert!(plan["queues"]["x"]["arn"].as_str().unwrap().starts_with("arn:aws:sqs:us-east-1:"));
    assert_eq!(document(&plan["rules"]["x"]["event_pattern"])["region"], json!(["eu-west-1"]));
}

/// The functions start with the planned environment and accept the planned input. Only the
/// addresses of the database, the table and the registry are replaced.
#[tokio::test]
async fn functions_accept_their_environment_and_their_schedules_input() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    let url = stack.registry.url().unwrap().to_string();
    let mut instances = seed();
    instances[1]["oci"] = json!({"registryUrl": url, "pollInterval": "59s 900ms"});
    let plan = plan(&instances).await;
    let start = async |key: &str, name: &'static str| {
        let planned = plan["functions"][key]["environment"].as_object().unwrap();
        let planned: Vec<(&str, &str)> =
            planned.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        // A function that refuses a setting ends before it accepts an invocation.
        let as_planned = Function::start(name, &planned).await.unwrap();
        let error =
            as_planned.invoke(&json!({"nothing": "it knows"})).await.unwrap_err().to_string();
        assert!(!error.contains("ended"), "{key}: {error}");
        let elsewhere: Vec<(&str, &str)> =
            planned.into_iter().filter(|(name, _)| *name != "DATABASE_SECRET_ARN").collect();
        let here =
            [&[("DATABASE_URL", stack.database.url())], &stack.dynamodb.settings()[..]].concat();
        let here: Vec<_> = here.into_iter().filter(|(name, _)| *name != "CURSOR_TABLE").collect();
        Function::start(name, &[elsewhere, here].concat()).await.unwrap()
    };
    let input = |name: &str| document(&plan["schedules"][name]["input"]);
    let summary =
        start("oci-poll", "oci-poll").await.invoke(&input("oci-poll-ghcr-mirror")).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
    let parsed =
        start("tag-parser", "tag-parser").await.invoke(&input("tag-parser")).await.unwrap();
    assert_eq!(parsed["complete"], true, "{parsed}");
    assert_eq!(
        start("migrate", "migrate").await.invoke(&json!({})).await.unwrap()["applied"],
        json!([])
    );
    start("ecr-events-prod-ecr", "ecr-events").await;
    let planned = plan["functions"]["admin"]["environment"].as_object().unwrap();
    let planned: Vec<(&str, &str)> =
        planned.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let admin = Function::start("admin", &planned).await.unwrap();
    let event = serde_json::from_str(include_str!("../../../events/admin.json")).unwrap();
    // The function starts, but it cannot read the secret of its database.
    assert_eq!(admin.invoke(&event).await.unwrap()["statusCode"], 500);
}

#[tokio::test]
async fn alarms_watch_only_metrics_that_the_functions_emit() {
    let plan = plan(&seed()).await;
    let emitted: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    assert_eq!(plan["metrics"]["namespace"], NAMESPACE);
    let listed: BTreeSet<&str> =
        plan["metrics"]["metrics"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(listed, emitted);
    let alarms = plan["alarms"].as_object().unwrap();
    let ours: BTreeSet<&str> = alarms
        .values()
        .filter(|alarm| alarm["namespace"] == NAMESPACE)
        .map(|alarm| alarm["metric_name"].as_str().unwrap())
        .collect();
    let watched = ["ChartsBroken", "HeldBack", "HintToRow", "PollLag", "RepairFound"];
    assert_eq!(ours, BTreeSet::from(watched));
    assert!(ours.is_subset(&emitted));
    assert_eq!(alarms["lag-ghcr-mirror"]["treat_missing_data"], "breaching");
}
