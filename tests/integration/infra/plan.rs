//! What the Terraform module would deploy, as far as that can be told without an AWS account: its
//! modules without a provider are evaluated, and what comes of them is held against the functions
//! and emulators that it is meant for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared::metrics::{Metric, NAMESPACE};
use tests::function::Function;
use tests::moto::Moto;
use tests::terraform::{self, Module};

use crate::support::assert_summary::assert_summary;
use crate::support::stack::Stack;

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:";

/// The seed's own two instances, with everything that may be switched on.
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

/// A document that is JSON within JSON.
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
async fn every_file_can_be_read_and_is_formatted() {
    terraform::check_format().await.unwrap();
}

#[tokio::test]
async fn the_modules_own_tests_pass() {
    for (module, runs) in [("pattern", 6), ("policies", 8), ("plan", 61)] {
        let printed = Module::init(module).await.unwrap().test().await.unwrap();
        assert!(
            printed.contains(&format!("Success! {runs} passed, 0 failed.")),
            "{module}: {printed}"
        );
    }
}

/// Hostile input 42.
///
/// Each action with each resource that a role may use it on.
#[tokio::test]
async fn role_grants_only_the_calls_of_its_function() {
    let plan = plan(&seed()).await;
    let arn =
        |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:123456789012:{rest}");
    let log = |function: &str| {
        arn("logs", &format!("log-group:/aws/lambda/chart-discovery-{function}:*"))
    };
    let secret = |name: &str| format!("{SECRET}{name}-AbCdEf");
    let function = |name: &str| arn("lambda", &format!("function:chart-discovery-{name}"));
    let queue = arn("sqs", "platz-chart-events");
    let repositories = arn("ecr", "repository/*");
    let table = arn("dynamodb", "table/chart-discovery-cursor");
    let ecr = [
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:GetDownloadUrlForLayer",
        "ecr:ListImages",
    ];
    let mut expected: BTreeMap<&str, Vec<(&str, String)>> = BTreeMap::from([
        ("migrate", vec![("secretsmanager:GetSecretValue", secret("owner"))]),
        ("tag-parser", vec![("secretsmanager:GetSecretValue", secret("app"))]),
        (
            "admin",
            vec![
                ("secretsmanager:GetSecretValue", secret("app")),
                ("lambda:InvokeFunction", function("tag-parser")),
                ("lambda:InvokeFunction", function("oci-poll")),
                ("lambda:InvokeFunction", function("ecr-events-prod-ecr")),
            ],
        ),
        (
            "oci-poll",
            vec![
                ("secretsmanager:GetSecretValue", secret("app")),
                ("secretsmanager:GetSecretValue", secret("ghcr")),
                ("dynamodb:GetItem", table.clone()),
                ("dynamodb:PutItem", table.clone()),
                ("dynamodb:Query", table.clone()),
                ("dynamodb:UpdateItem", table.clone()),
            ],
        ),
        (
            "ecr-events-prod-ecr",
            vec![
                ("secretsmanager:GetSecretValue", secret("app")),
                ("sqs:DeleteMessage", queue.clone()),
                ("sqs:GetQueueAttributes", queue.clone()),
                ("sqs:ReceiveMessage", queue.clone()),
                ("ecr:GetAuthorizationToken", "*".to_owned()),
            ],
        ),
    ]);
    expected
        .get_mut("ecr-events-prod-ecr")
        .unwrap()
        .extend(ecr.map(|action| (action, repositories.clone())));
    let policies = plan["policies"]["functions"].as_object().unwrap();
    let roles: BTreeSet<&str> = policies.keys().map(String::as_str).collect();
    assert_eq!(roles, expected.keys().copied().collect());
    for (role, grants) in expected {
        let mut wanted: BTreeSet<(String, String)> =
            grants.into_iter().map(|(action, arn)| (action.to_owned(), arn)).collect();
        wanted.extend(
            ["logs:CreateLogStream", "logs:PutLogEvents"]
                .map(|action| (action.to_owned(), log(role))),
        );
        let document = document(&policies[role]);
        let mut granted = BTreeSet::new();
        for statement in document["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow", "{role}: {statement}");
            for action in texts(&statement["Action"]) {
                granted.extend(
                    texts(&statement["Resource"])
                        .into_iter()
                        .map(|arn| (action.to_owned(), arn.to_owned())),
                );
            }
        }
        assert_eq!(granted, wanted, "{role}");
    }
    // Only through its URL may admin be invoked: what that says of the caller is believed.
    for permission in plan["admin"]["permissions"].as_object().unwrap().values() {
        let is_through_url = permission["invoked_via_function_url"] == true
            || permission["function_url_auth_type"] == "AWS_IAM";
        assert!(
            is_through_url && permission["principal"] == "arn:aws:iam::123456789012:role/platform",
            "{permission}"
        );
    }
}

#[tokio::test]
async fn the_rule_lets_through_what_may_be_about_a_chart() {
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
async fn the_seeds_instances_give_the_rules_queues_and_schedules_they_must() {
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
    let told = |name: &str| {
        let schedule = &schedules[name];
        (
            schedule["expression"].as_str().unwrap(),
            schedule["function"].as_str().unwrap(),
            document(&schedule["input"]),
        )
    };
    let repair: Value =
        serde_json::from_str(include_str!("../../../events/ecr-repair.json")).unwrap();
    assert_eq!(told("repair-prod-ecr"), ("rate(10 minutes)", "ecr-events-prod-ecr", repair));
    assert_eq!(told("tag-parser"), ("rate(1 minute)", "tag-parser", json!({})));
    let mut polled = seed()[1].clone();
    assert_eq!(told("oci-poll-ghcr-mirror"), ("rate(1 minute)", "oci-poll", polled.take()));
    assert_eq!((schedules.len(), &plan["forwards"]), (3, &json!([])));
    // In another region there is only a rule that forwards; the rest is at home.
    let abroad = json!([{"name": "x", "provider": "ecr", "ecrEvents": {"queueName": "q",
        "regionName": "eu-west-1"}}]);
    let plan = self::plan(&abroad).await;
    assert_eq!(plan["forwards"], json!(["eu-west-1"]));
    assert!(plan["queues"]["x"]["arn"].as_str().unwrap().starts_with("arn:aws:sqs:us-east-1:"));
    assert_eq!(document(&plan["rules"]["x"]["event_pattern"])["region"], json!(["eu-west-1"]));
}

/// What the schedule sends and the environment that the function gets, with nothing changed but
/// where the parts are.
#[tokio::test]
async fn the_functions_start_with_their_environment_and_take_their_schedules_input() {
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
        // As it is: a setting that is refused ends the function before it takes anything.
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
    // It starts, and cannot read the secret of its database.
    assert_eq!(admin.invoke(&event).await.unwrap()["statusCode"], 500);
}

#[tokio::test]
async fn every_alarm_is_about_a_metric_that_the_functions_emit() {
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
    assert_eq!(ours, BTreeSet::from(["ChartsBroken", "HeldBack", "PollLag", "RepairFound"]));
    assert!(ours.is_subset(&emitted));
    assert_eq!(alarms["lag-ghcr-mirror"]["treat_missing_data"], "breaching");
}
