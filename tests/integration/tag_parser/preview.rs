//! A preview shows what a pattern would do.

use serde_json::json;
use tests::function::Function;
use tests::postgres::TestDatabase;

use crate::support::stack::count;
use crate::support::tag_formats::{BUILD, SEMVER, add_format, insert_charts};

#[tokio::test]
async fn preview_shows_the_effect_of_a_pattern_and_writes_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    let tags = "SELECT '1.' || n || '.0' FROM generate_series(1, 30) AS n UNION VALUES \
                ('main-7-abc1234'), ('latest')";
    insert_charts(&rows, tags).await;
    add_format(&rows, SEMVER).await;
    let function =
        Function::start("tag-parser", &[("DATABASE_URL", database.url())]).await.unwrap();
    let before = "SELECT count(*) - (SELECT count(*) FROM helm_chart_details)
        FROM helm_charts WHERE parsed_version IS NULL";
    let preview = async |pattern: &str, limit: usize| {
        function.invoke(&json!({"preview": {"pattern": pattern, "limit": limit}})).await.unwrap()
    };
    let answer = preview(BUILD, 20).await;
    let expected = json!({"tag": "main-7-abc1234", "version": null, "revision": "7", "branch":
        "main", "commit": "abc1234",
        "shadowedBy": null});
    assert_eq!(answer, json!({"matches": [expected], "matched": 1, "newlyMatched": 1}));
    // The preview names the older format that already matches a tag.
    let answer = preview("^(?P<version>.+)$", 2).await;
    assert_eq!((&answer["matched"], &answer["newlyMatched"]), (&json!(32), &json!(2)));
    let matches = answer["matches"].as_array().unwrap();
    assert_eq!(
        (matches.len(), &matches[0]["tag"]),
        (2, &json!("latest")),
        "what is new comes first: {answer}"
    );
    let answer = preview("^(?P<version>1.*)$", 1).await;
    assert_eq!(
        (&answer["matches"][0]["shadowedBy"], &answer["newlyMatched"]),
        (&json!(SEMVER), &json!(0))
    );
    for (pattern, expected) in [
        ("(", "unclosed group"),
        (&*"x".repeat(5000), "the limit is 4096"),
        ("(?<=x)y", "look-around"),
        // Case from the field 33.
        ("^(?P<Version>.+)$", "name them version, revision, branch or commit"),
    ] {
        let answer = preview(pattern, 1).await;
        assert!(answer["error"].as_str().unwrap().contains(expected), "{answer}");
    }
    assert_eq!(count(&rows, before).await, 32);
}

/// Case from the field 33.
#[tokio::test]
async fn preview_names_the_versions_that_would_be_lost() {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    let tags = "VALUES ('1.0.0'), ('main-7-abc1234'), ('main-8-abc1234'), ('main-9-abc1234')";
    insert_charts(&rows, tags).await;
    add_format(&rows, SEMVER).await;
    let version = "UPDATE helm_charts SET parsed_version = '0.1.0'
        WHERE image_tag IN ('1.0.0', 'main-7-abc1234', 'main-8-abc1234')";
    rows.execute(version, &[]).await.unwrap();
    let function =
        Function::start("tag-parser", &[("DATABASE_URL", database.url())]).await.unwrap();
    let lost = async |pattern: &str| {
        let preview = json!({"preview": {"pattern": pattern, "limit": 1}});
        function.invoke(&preview).await.unwrap()["lost"].clone()
    };
    let example = json!({"tag": "main-7-abc1234", "version": "0.1.0"});
    let answer = lost("^(?P<branch>.+)$").await;
    assert_eq!(answer["charts"], 2, "an older format keeps the version of 1.0.0: {answer}");
    assert_eq!(answer["examples"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(lost("^main-7-(?P<commit>.+)$").await, json!({"charts": 1, "examples": [example]}));
    assert_eq!(lost("^(?P<version>.+)$").await, json!(null));
    assert_eq!(lost("^main-9").await, json!(null));
}
