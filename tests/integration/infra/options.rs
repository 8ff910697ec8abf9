//! What an installation may leave out, or take from elsewhere.

use std::collections::BTreeSet;

use tests::terraform::Configuration;

const TOGETHER: &str = include_str!("together.tf");

/// Returns a configuration with another argument of the module.
async fn with_argument(argument: &str) -> Configuration {
    let configuration = Configuration::of(TOGETHER).unwrap();
    let argument = format!("{argument}\n  source = \"../..\"");
    configuration.replace("main.tf", "source = \"../..\"", &argument).unwrap();
    configuration.validate().await.unwrap();
    configuration
}

#[tokio::test]
async fn plan_and_destroy_need_no_package() {
    let configuration = with_argument("").await;
    configuration.apply().await.unwrap();
    configuration.remove_packages().unwrap();
    assert_eq!(configuration.planned_changes().await.unwrap(), BTreeSet::new());
    configuration.destroy().await.unwrap();
    assert_eq!(configuration.existing().unwrap(), BTreeSet::new());
}

#[tokio::test]
async fn packages_may_come_from_a_bucket() {
    let bucket = "package_s3 = { bucket = \"releases\", prefix = \"v1/\" }";
    let configuration = with_argument(bucket).await;
    configuration.remove_packages().unwrap();
    configuration.apply().await.unwrap();
    assert_eq!(configuration.planned_changes().await.unwrap(), BTreeSet::new());
    let keys: BTreeSet<String> = configuration
        .account_changes()
        .unwrap()
        .into_iter()
        .filter(|change| change.kind == "aws_lambda_function")
        .map(|change| {
            format!("{}/{}", text(&change.value["s3_bucket"]), text(&change.value["s3_key"]))
        })
        .collect();
    let of = |name: &str| format!("releases/v1/{name}.zip");
    let expected = ["admin", "ecr-events", "migrate", "oci-events", "oci-poll"].map(of);
    assert_eq!(keys, BTreeSet::from(expected));
    configuration.replace("main.tf", "\"v1/\"", "\"v2/\"").unwrap();
    let changes = configuration.planned_changes().await.unwrap();
    assert!(changes.iter().any(|change| change.contains("aws_lambda_invocation.migrate")));
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap()
}

/// Some regions and organisations have no Function URLs.
#[tokio::test]
async fn module_may_make_no_function_url() {
    let configuration = Configuration::of(TOGETHER).unwrap();
    let admin = "admin            = { principals = [aws_iam_role.platform.arn], site_admins = \
                 [aws_iam_role.platform.arn] }";
    let without = "admin = { function_url = false, site_admins = [aws_iam_role.platform.arn] }\n  \
                   public_url = \"https://charts.example.com\"\n  \
                   webhooks = { function_url = false }";
    configuration.replace("main.tf", admin, without).unwrap();
    configuration.validate().await.unwrap();
    configuration.apply().await.unwrap();
    let changes = configuration.account_changes().unwrap();
    assert!(!changes.iter().any(|change| {
        ["aws_lambda_function_url", "aws_lambda_permission"].contains(&change.kind.as_str())
    }));
    let admin = changes.iter().find(|change| {
        change.kind == "aws_lambda_function"
            && change.value["function_name"] == "chart-discovery-admin"
    });
    let environment = &admin.unwrap().value["environment"][0]["variables"];
    assert_eq!(environment["PUBLIC_URL"], "https://charts.example.com");
}
