//! Names the row that is missing or old, and the discovery that does not run.

use serde_json::json;

use crate::support::diagnosis_site::DiagnosisSite;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn what_the_rows_miss_is_named_and_right_afterwards() {
    let desk = DiagnosisSite::new().await;
    let stack = &desk.stack;
    let usual = stack.instance();
    let place = format!("{}/team/api", stack.registry.host());
    let first = stack.pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    desk.poll(&usual).await;
    let reference = format!("{place}:1.0.0");
    desk.expect_ok(&reference).await;

    // Deleted by hand.
    stack.rows.execute("DELETE FROM helm_charts", &[]).await.unwrap();
    desk.poll(&usual).await;
    let cause =
        desk.expect(&reference, "row", "deleted the row by hand", "invoke oci-poll with").await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&reference).await;

    // Found broken by a version that could read less.
    stack.rows.execute("UPDATE helm_charts SET error = 'too new'", &[]).await.unwrap();
    let cause = desk
        .expect(&reference, "row", "BROKEN, and it can be read now", "invoke oci-poll with")
        .await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&reference).await;

    // Moved.
    stack.pusher.push_chart("team/api", "1.0.0", "y").await.unwrap();
    let cause = desk.expect(&reference, "row", "The tag has moved", "oci.verifyInterval").await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&reference).await;
    let before = format!("{place}@{first}");
    desk.expect(&before, "row", "has another one now", ":1.0.0").await;

    // Overwritten by something else.
    stack.pusher.push_image("team/api", "1.0.0", "i").await.unwrap();
    let overwritten = desk.ask(&reference).await;
    assert_eq!(
        (&overwritten["verdict"], &overwritten["steps"][7]["ok"]),
        (&json!("manifest"), &json!(false))
    );
    desk.follow(overwritten["steps"][7]["remedy"].as_str().unwrap()).await;
    assert_eq!(desk.ask(&reference).await["steps"][7]["detail"], "The row is DELETED.");

    // Held back: a mass goes at once.
    let mut digests = Vec::new();
    for n in 0..15 {
        digests.push(
            stack.pusher.push_chart("team/web", &format!("1.{n}.0"), &n.to_string()).await.unwrap(),
        );
    }
    desk.poll(&usual).await;
    for digest in &digests {
        stack.pusher.delete("team/web", digest).await.unwrap();
    }
    assert_eq!(desk.poll(&usual).await["held"], 15);
    let held = format!("{}/team/web:1.3.0", stack.registry.host());
    let diagnosis = desk.ask(&held).await;
    let row = &diagnosis["steps"][7];
    assert_eq!(
        (&diagnosis["verdict"], &row["ok"]),
        (&json!("tag"), &json!(false)),
        "{diagnosis:#}"
    );
    assert!(row["detail"].as_str().unwrap().contains("held back"), "{row}");
    assert!(row["remedy"].as_str().unwrap().contains("still missing 1h after that"), "{row}");
    desk.follow(row["remedy"].as_str().unwrap()).await;
    assert_eq!(desk.ask(&held).await["steps"][7]["detail"], "The row is DELETED.");

    // Discovery does not run, or not rightly.
    stack.pusher.push_chart("team/api", "2.0.0", "x").await.unwrap();
    desk.poll(&usual).await;
    let reference = format!("{place}:2.0.0");
    let set = async |what: &str| {
        stack.rows.execute(&format!("UPDATE discovery_instances SET {what}"), &[]).await.unwrap();
    };
    set("last_started_at = now() - interval '1 hour'").await;
    desk.expect(
        &reference,
        "freshness",
        "1 hour ago, and there should be one every 1 minute",
        "instance's schedule",
    )
    .await;
    set("last_started_at = now(), last_succeeded_at = NULL, last_error = 'team/x: 500'").await;
    let elsewhere = desk.ask(&reference).await;
    let freshness = &elsewhere["steps"][9];
    assert_eq!(
        (&elsewhere["verdict"], &freshness["ok"]),
        (&json!("ok"), &json!(true)),
        "{elsewhere:#}"
    );
    assert!(
        freshness["detail"].as_str().unwrap().ends_with("does not concern this chart. team/x: 500"),
        "{freshness}"
    );
    let diagnosis = desk.ask(&format!("{place}:9.9.9")).await;
    assert!(
        diagnosis["steps"][9]["detail"]
            .as_str()
            .unwrap()
            .ends_with("did not read everything. team/x: 500")
    );
    assert_eq!(diagnosis["steps"][9]["ok"], false);
    set("last_started_at = NULL").await;
    desk.expect(&reference, "freshness", "not over yet", "Wait for a minute").await;
    desk.poll(&usual).await;
    desk.expect_ok(&reference).await;

    // The function cannot be asked.
    set("function_name = 'gone'").await;
    desk.expect(&reference, "instance", "Function not found: gone", "removed or renamed").await;
    set("configuration = '{\"name\": \"x\"}', function_name = 'oci-poll'").await;
    desk.expect(&reference, "instance", "provider", "function's log").await;
    set("configuration = NULL").await;
    desk.expect(&reference, "instance", "has not run since this version", "schedule").await;
    desk.poll(&usual).await;
    desk.expect_ok(&reference).await;
}
