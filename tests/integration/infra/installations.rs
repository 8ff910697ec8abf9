//! What a change of the configuration does to an installation, and to a second one beside it.

use std::collections::BTreeSet;

use tests::terraform::Configuration;

/// Returns one installation, with the prefix `chart-discovery` unless another one is given.
fn installation(label: &str, arguments: &str) -> String {
    format!(
        r#"
module "{label}" {{
  source = "../.."

  instances = [
    {{ name = "prod-ecr", ecrEvents = {{ queueName = "charts", regionName = "us-east-1" }} }},
    {{ name = "abroad", ecrEvents = {{ queueName = "abroad", regionName = "eu-west-1",
      accounts = ["210987654321"] }} }},
    {{ name = "mirror", enableTagParser = true, oci = {{ registryUrl = "https://ghcr.io" }} }},
  ]
  database = {{
    secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf"
  }}
  migrate_database = {{
    secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf"
  }}
  {arguments}
}}
"#
    )
}

const PROVIDER: &str = "provider \"aws\" {\n  region = \"us-east-1\"\n}\n";

/// The stand-in refuses a second resource of the same name in the account.
#[tokio::test]
async fn two_installations_share_nothing_in_an_account() {
    let text =
        [PROVIDER, &installation("a", ""), &installation("b", "name = \"charts-b\"")].concat();
    let both = Configuration::of(&text).unwrap();
    both.validate().await.unwrap();
    both.apply().await.unwrap();
    let existing = both.existing().unwrap();
    let of_b = existing.iter().filter(|identity| identity.contains("charts-b"));
    assert_eq!(2 * of_b.count(), existing.len(), "{existing:?}");
    both.destroy().await.unwrap();
    assert_eq!(both.existing().unwrap(), BTreeSet::new());
}

#[tokio::test]
async fn installations_that_would_share_a_queue_are_seen() {
    let text = [
        PROVIDER,
        &installation("a", ""),
        &installation("b", "name = \"charts-b\"\n  queue_name_exact = true"),
    ]
    .concat();
    let both = Configuration::of(&text).unwrap();
    both.validate().await.unwrap();
    let refused = both.apply().await.unwrap_err().to_string();
    assert!(refused.contains("exists already: aws_sqs_queue"), "{refused}");
}

/// Messages wait in the queue, and the predecessor may read it, so it outlives its instance's name.
#[tokio::test]
async fn renamed_instance_keeps_its_queue() {
    let configuration = Configuration::of(&(PROVIDER.to_owned() + &installation("a", ""))).unwrap();
    configuration.validate().await.unwrap();
    configuration.apply().await.unwrap();
    configuration.replace("main.tf", "name = \"prod-ecr\"", "name = \"production\"").unwrap();
    let changes = configuration.planned_changes().await.unwrap();
    let of_queues: BTreeSet<&str> = changes
        .iter()
        .map(String::as_str)
        .filter(|change| change.contains(".aws_sqs_queue"))
        .collect();
    assert_eq!(
        of_queues,
        BTreeSet::from([
            "update module.a.aws_sqs_queue_policy.dead_letters[\"charts\"]",
            "update module.a.aws_sqs_queue_policy.events[\"charts\"]",
        ])
    );
    assert!(
        changes.contains("create module.a.aws_lambda_function.function[\"ecr-events-production\"]")
    );
    configuration.apply().await.unwrap();
    assert_eq!(configuration.planned_changes().await.unwrap(), BTreeSet::new());
}
