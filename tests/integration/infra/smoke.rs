//! `make smoke`, as far as it goes without an AWS account.

use std::process::Output;

use serde_json::json;
use tests::admin::Admin;
use tests::moto::Moto;
use tests::terraform::Configuration;
use tests::tools;
use tokio::process::Command;

use crate::support::stack::Stack;

/// Returns the command, with stand-ins for AWS.
fn smoke(moto: &Moto, configuration: &Configuration) -> Command {
    let mut command = Command::new(tools::python().unwrap());
    command.arg(tools::workspace().join("infra/scripts/smoke.py")).arg("--stand-in");
    command.envs(moto.settings()).envs(configuration.settings()).kill_on_drop(true);
    command
}

/// Returns the lines of the report that name a step and its outcome.
fn outcomes(ended: &Output) -> Vec<String> {
    let report = String::from_utf8_lossy(&ended.stdout).into_owned();
    let steps = report.lines().filter_map(|line| line.strip_prefix("| "));
    let steps = steps.filter(|line| !line.starts_with("step"));
    steps.map(|line| line.split(" | ").take(2).collect::<Vec<_>>().join(": ")).collect()
}

/// A poller stands in for the events of ECR, because moto takes no pushes.
#[tokio::test]
async fn row_of_the_pushed_chart_is_found_and_nothing_is_left() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let configuration = Configuration::copy("examples/from-scratch", json!({})).unwrap();
    let admin = Admin::start(&[("DATABASE_URL", stack.database.url())]).await.unwrap();
    let poller = stack.oci_poll().await;
    let now = json!({"instance": stack.instance(), "now": true});
    let polls = async {
        loop {
            poller.invoke(&now).await.unwrap();
        }
    };
    let mut command = smoke(&moto, &configuration);
    command.args(["--stand-in-registry", stack.registry.host(), "--stand-in-admin", admin.url()]);
    let ended = tokio::select! {
        ended = command.output() => ended.unwrap(),
        () = polls => unreachable!("it polls until the script ends"),
    };
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{said}");
    assert_eq!(
        outcomes(&ended),
        [
            "look at the account: ok",
            "get the certificates of RDS: ok",
            "terraform apply: ok",
            "make a repository in ECR: ok",
            "helm push: ok",
            "wait for the row: ok",
            "delete the chart: ok",
            "wait for the row to be deleted: ok",
            "delete the repository: ok",
            "terraform destroy: ok",
        ]
    );
    let repositories = moto.ecr().await.describe_repositories().send().await.unwrap();
    assert_eq!(repositories.repositories(), []);
    assert!(configuration.existing().unwrap().is_empty());
}

#[tokio::test]
async fn what_stand_ins_cannot_do_is_named_as_skipped() {
    let moto = Moto::start().await.unwrap();
    let configuration = Configuration::copy("examples/from-scratch", json!({})).unwrap();
    let ended = smoke(&moto, &configuration).output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(outcomes(&ended).contains(&"helm push and its row: skipped".to_owned()));
}

/// The stand-in refuses to make a schedule.
#[tokio::test]
async fn failure_is_reported_and_what_was_made_is_removed() {
    let moto = Moto::start().await.unwrap();
    let configuration = Configuration::copy("examples/from-scratch", json!({})).unwrap();
    let mut command = smoke(&moto, &configuration);
    command.env("AWS_PROVIDER_REFUSES", "aws_scheduler_schedule");
    let ended = command.output().await.unwrap();
    assert!(!ended.status.success());
    let outcomes = outcomes(&ended);
    assert!(outcomes.contains(&"terraform apply: failed".to_owned()), "{outcomes:?}");
    assert!(outcomes.contains(&"terraform destroy: ok".to_owned()), "{outcomes:?}");
    assert!(configuration.existing().unwrap().is_empty());
}
