//! Mistakes in the module, made on purpose: each is seen before an apply, or by the checks after
//! it.

use serde_json::json;
use tests::terraform::Configuration;

/// Makes a mistake in a file of the module; returns what the validation says.
async fn validation(file: &str, from: &str, to: &str) -> String {
    let root = Configuration::copy(".", json!({})).unwrap();
    root.replace(file, from, to).unwrap();
    root.validate().await.unwrap_err().to_string()
}

#[tokio::test]
async fn misspelt_argument_is_seen() {
    let error =
        validation("schedules.tf", "  schedule_expression = ", "  schedule_expresion = ").await;
    assert!(error.contains("\"schedule_expresion\" is not expected here"), "{error}");
}

#[tokio::test]
async fn missing_argument_is_seen() {
    let line = "  schedule_expression = each.value.expression\n";
    let error = validation("schedules.tf", line, "").await;
    assert!(error.contains("\"schedule_expression\" is required"), "{error}");
}

#[tokio::test]
async fn wrong_type_is_seen() {
    let error = validation(
        "cursor.tf",
        "point_in_time_recovery {\n    enabled = true",
        "point_in_time_recovery {\n    enabled = \"perhaps\"",
    )
    .await;
    assert!(error.contains("a bool is required"), "{error}");
}

#[tokio::test]
async fn missing_block_is_seen() {
    let block = "  flexible_time_window {\n    mode = \"OFF\"\n  }\n";
    let error = validation("schedules.tf", block, "").await;
    assert!(error.contains("At least 1 \"flexible_time_window\" blocks are required"), "{error}");
}

#[tokio::test]
async fn second_block_is_seen() {
    let block = "  flexible_time_window {\n    mode = \"OFF\"\n  }\n";
    let error = validation("schedules.tf", block, &block.repeat(2)).await;
    assert!(error.contains("No more than 1 \"flexible_time_window\""), "{error}");
}

#[tokio::test]
async fn misspelt_type_is_seen() {
    let error = validation(
        "schedules.tf",
        "resource \"aws_scheduler_schedule_group\" \"schedules\"",
        "resource \"aws_scheduler_schedules_group\" \"schedules\"",
    )
    .await;
    assert!(error.contains("does not support resource type"), "{error}");
}

#[tokio::test]
async fn circle_is_seen() {
    let error = validation(
        "roles.tf",
        "  description          = \"The schedules of ${var.name}\"",
        "  description = aws_scheduler_schedule.schedule[\"x\"].arn",
    )
    .await;
    assert!(error.contains("Cycle"), "{error}");
}

/// A value of the right type may still be one that AWS refuses.
#[tokio::test]
async fn values_that_aws_refuses_are_found() {
    for (file, from, to, problem) in [
        ("schedules.tf", "mode = \"OFF\"", "mode = \"ON\"", "FlexibleTimeWindow.Mode is not one"),
        (
            "roles.tf",
            "  name   = \"what-it-calls\"\n  role   = aws_iam_role.scheduler.id",
            "  name   = \"what it calls\"\n  role   = aws_iam_role.scheduler.id",
            "PolicyName does not match",
        ),
    ] {
        let configuration = Configuration::of(include_str!("together.tf")).unwrap();
        configuration.replace(&format!("../../{file}"), from, to).unwrap();
        configuration.validate().await.unwrap();
        configuration.apply().await.unwrap();
        let found = configuration.check("calls.py").await.unwrap_err().to_string();
        assert!(found.contains(problem), "{found}");
    }
}

#[tokio::test]
async fn malformed_policies_are_found() {
    let configuration = Configuration::of(include_str!("together.tf")).unwrap();
    let file = "../../modules/policies/functions.tf";
    configuration.replace(file, "\"ecr:DescribeImages\"", "\"ecr:DescribePictures\"").unwrap();
    configuration.validate().await.unwrap();
    configuration.apply().await.unwrap();
    let found = configuration.check("policies.py").await.unwrap_err().to_string();
    assert!(found.contains("ecr:DescribePictures"), "{found}");
}
