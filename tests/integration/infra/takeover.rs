//! Takes over a queue of the predecessor's with the lines of the guide.

use tests::terraform::Configuration;

const GUIDE: &str = include_str!("../../../docs/operate/move-from-the-pod.md");

/// What the predecessor's own Terraform made.
const PREDECESSOR: &str = r#"
provider "aws" {
  region = "us-east-1"
}

resource "aws_sqs_queue" "charts" {
  name                      = "platz-chart-events"
  message_retention_seconds = 1209600
}
"#;

const INSTALLATION: &str = r#"
provider "aws" {
  region = "us-east-1"
}

module "chart_discovery" {
  source = "../.."

  instances = [{
    name      = "prod-ecr"
    ecrEvents = { queueName = "platz-chart-events", regionName = "us-east-1" }
  }]
  queue_retention_days = 14
  database = {
    secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf"
  }
  migrate_database = {
    secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf"
  }
}
"#;

/// Returns the address and the queue in the guide's line.
fn line_of_the_guide() -> (String, String) {
    let line = GUIDE.lines().find_map(|line| line.strip_prefix("$ terraform import '")).unwrap();
    let (address, queue) = line.split_once("' ").unwrap();
    (address.to_owned(), queue.replace("$ACCOUNT", "123456789012"))
}

#[tokio::test]
async fn queue_of_the_predecessor_is_taken_over_by_the_line_of_the_guide() {
    let configuration = Configuration::of(PREDECESSOR).unwrap();
    configuration.validate().await.unwrap();
    configuration.apply().await.unwrap();
    configuration.forget("aws_sqs_queue.charts").await.unwrap();
    configuration.add_file("main.tf", INSTALLATION).unwrap();
    configuration.validate().await.unwrap();
    let refused = configuration.apply().await.unwrap_err().to_string();
    assert!(refused.contains("exists already: aws_sqs_queue"), "{refused}");
    let (address, queue) = line_of_the_guide();
    configuration.import(&address, &queue).await.unwrap();
    let changes = configuration.planned_changes().await.unwrap();
    assert!(changes.contains(&format!("update {address}")), "{changes:?}");
    configuration.apply().await.unwrap();
    let changes = configuration.account_changes().unwrap();
    let of_queue = changes.iter().filter(|change| {
        change.kind == "aws_sqs_queue" && change.value["name"] == "platz-chart-events"
    });
    let operations: Vec<(&str, u64)> = of_queue
        .map(|change| {
            let retention = change.value["message_retention_seconds"].as_u64().unwrap();
            (change.operation.as_str(), retention)
        })
        .collect();
    assert_eq!(operations, [("create", 1_209_600), ("update", 1_209_600)]);
}

#[tokio::test]
async fn queue_that_does_not_exist_is_not_imported() {
    let configuration = Configuration::of(INSTALLATION).unwrap();
    configuration.validate().await.unwrap();
    let (address, queue) = line_of_the_guide();
    let refused = configuration.import(&address, &queue).await.unwrap_err().to_string();
    assert!(refused.contains("there is no aws_sqs_queue"), "{refused}");
}
