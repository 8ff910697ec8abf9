//! Applies the examples and other configurations with a provider that stands in for AWS's. It has
//! the real one's types, and the account is a file.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::terraform::Configuration;
use tests::tools;

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:";
const TOGETHER: &str = include_str!("together.tf");

/// Returns the variables of an example that have no default. An example that is not listed fails
/// for lack of them.
fn variables(example: &str) -> Value {
    let secret = |name: &str| format!("{SECRET}{name}-AbCdEf");
    let role = "arn:aws:iam::123456789012:role/platform";
    match example {
        "minimal" => json!({
            "database_secret_arn": secret("app"),
            "owner_secret_arn": secret("owner"),
            "admin_role_arn": role,
        }),
        "complete" => json!({
            "vpc_id": "vpc-0123456789abcdef0",
            "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            "database_security_group_id": "sg-0123456789abcdef0",
            "database_secret_arn": secret("app"),
            "owner_secret_arn": secret("owner"),
            "harbor_secret_arn": secret("harbor"),
            "harbor_webhook_secret_arn": secret("harbor-webhook"),
            "oidc_secret_arn": secret("oidc"),
            "team_account_id": "210987654321",
            "team_role_arn": "arn:aws:iam::210987654321:role/rules",
            "alarm_email": "platform@example.com",
        }),
        "from-scratch" => json!({ "admin_role_arn": role }),
        _ => json!({}),
    }
}

fn copy(example: &str) -> Configuration {
    let copy = Configuration::copy(&format!("examples/{example}"), variables(example)).unwrap();
    if example != "minimal" {
        copy.add_file("rds-ca.zip", "certificates").unwrap();
    }
    copy
}

/// Applies a configuration twice, checks what it made, and removes it.
async fn live(configuration: &Configuration) {
    configuration.validate().await.unwrap();
    configuration.apply().await.unwrap();
    assert_eq!(configuration.planned_changes().await.unwrap(), BTreeSet::new());
    let checked = configuration.check("calls.py").await.unwrap();
    assert!(checked.ends_with(" calls, 0 problems\n") && !checked.starts_with("0 "), "{checked}");
    let linted = configuration.check("policies.py").await.unwrap();
    assert!(linted.ends_with(" policies, 0 findings\n") && !linted.starts_with("0 "), "{linted}");
    configuration.destroy().await.unwrap();
    assert_eq!(configuration.existing().unwrap(), BTreeSet::new());
}

#[tokio::test]
async fn examples_live_from_apply_to_destroy() {
    let folder = tools::workspace().join("infra/examples");
    let mut examples = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        live(&copy(entry.unwrap().file_name().to_str().unwrap())).await;
        examples += 1;
    }
    assert!(examples >= 3);
}

#[tokio::test]
async fn network_from_scratch_may_have_a_nat_gateway() {
    let mut variables = variables("from-scratch");
    variables["with_nat"] = json!(true);
    let example = Configuration::copy("examples/from-scratch", variables).unwrap();
    example.add_file("rds-ca.zip", "certificates").unwrap();
    live(&example).await;
}

#[tokio::test]
async fn everything_given_may_be_made_in_the_same_apply() {
    live(&Configuration::of(TOGETHER).unwrap()).await;
}

/// Terraform reads the data sources of a module with `depends_on` during the apply, so a plan knows
/// neither the account nor the region. `home` names them.
#[tokio::test]
async fn module_may_depend_on_other_resources() {
    let configuration = Configuration::of(TOGETHER).unwrap();
    let depends = "depends_on = [aws_sns_topic.alarms]\n  source = \"../..\"";
    configuration.replace("main.tf", "source = \"../..\"", depends).unwrap();
    configuration.validate().await.unwrap();
    let refused = configuration.planned_changes().await.unwrap_err().to_string();
    assert!(refused.contains("cannot be determined"), "{refused}");
    let home = "home = { region = \"us-east-1\", account_id = \"123456789012\" }\n  source =";
    configuration.replace("main.tf", "source =", home).unwrap();
    live(&configuration).await;
}

#[tokio::test]
async fn tests_of_the_root_pass() {
    let root = Configuration::copy(".", json!({})).unwrap();
    root.validate().await.unwrap();
    let printed = root.test().await.unwrap();
    assert!(printed.contains("Success! 7 passed, 0 failed."), "{printed}");
}

/// The stand-in is no help if it takes everything.
#[tokio::test]
async fn resource_of_the_same_name_is_refused() {
    let twice =
        TOGETHER.to_owned() + "resource \"aws_sns_topic\" \"b\" {\n  name = \"alarms\"\n}\n";
    let configuration = Configuration::of(&twice).unwrap();
    configuration.validate().await.unwrap();
    let refused = configuration.apply().await.unwrap_err().to_string();
    assert!(refused.contains("exists already: aws_sns_topic"), "{refused}");
}
