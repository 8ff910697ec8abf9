//! `{"adopt":"check"}`: what it finds, and that it writes nothing.

use serde_json::{Value, json};

use crate::support::platz::PlatzDatabase;

async fn check(platz: &PlatzDatabase) -> Value {
    platz.invoke(json!({"adopt": "check"})).await.unwrap()
}

/// Returns the count of the finding that contains some words.
fn count(answer: &Value, level: &str, words: &str) -> Option<i64> {
    let findings = answer["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| {
        finding["level"] == level && finding["what"].as_str().unwrap().contains(words)
    })?;
    finding["count"].as_i64()
}

#[tokio::test]
async fn check_tells_what_the_rows_are_like_and_writes_nothing() {
    let platz = PlatzDatabase::new().await;
    let (contents, catalog) = (platz.contents().await, platz.catalog().await);
    let answer = check(&platz).await;
    assert_eq!(answer["adoptable"], true, "{answer}");
    for (words, expected) in [
        ("chart rows", 12),
        ("repeat the registry, tag and digest", 2),
        ("several available digests", 1),
        ("oci-pseudo", 1),
        ("fault of the network", 1),
        ("cannot begin a Kubernetes namespace", 2),
        ("deployments", 3),
    ] {
        assert_eq!(count(&answer, "tell", words), Some(expected), "{words}: {answer}");
    }
    assert_eq!(platz.contents().await, contents);
    assert_eq!(platz.catalog().await, catalog);
}

#[tokio::test]
async fn each_obstacle_stops_an_adoption_and_changes_nothing() {
    for (obstacle, words) in [
        (
            "DELETE FROM __diesel_schema_migrations WHERE version >= '20260509120000';
            ALTER TABLE helm_registries DROP COLUMN provider",
            "older than v0.7.0-beta.1",
        ),
        ("ALTER TABLE helm_charts ALTER COLUMN image_tag DROP NOT NULL", "helm_charts.image_tag"),
        ("CREATE TABLE observations (a integer)", "observations"),
        ("CREATE FUNCTION semver_key(text) RETURNS text RETURN $1", "semver_key"),
        ("UPDATE helm_registries SET provider = 'Gar'", "Gar"),
        ("UPDATE helm_registries SET domain_name = 'https://' || domain_name", "scheme"),
        (
            "CREATE TRIGGER theirs AFTER INSERT ON helm_charts
            FOR EACH ROW EXECUTE FUNCTION notify_trigger('id')",
            "helm_charts.theirs",
        ),
    ] {
        let platz = PlatzDatabase::new().await;
        platz.rows.batch_execute(obstacle).await.unwrap();
        let catalog = platz.catalog().await;
        let answer = check(&platz).await;
        assert_eq!(answer["adoptable"], false, "{obstacle}: {answer}");
        assert!(count(&answer, "stop", words).is_some(), "{obstacle}: {answer}");
        let error = platz.invoke(json!({"adopt": true})).await.unwrap_err();
        assert!(error.contains(words) && error.contains("nothing was changed"), "{error}");
        assert_eq!(platz.catalog().await, catalog, "{obstacle}");
    }
}

#[tokio::test]
async fn a_running_predecessor_stops_an_adoption() {
    let platz = PlatzDatabase::new().await;
    let pod = platz.listen("db_helm_tag_formats_notifications").await;
    let answer = check(&platz).await;
    assert_eq!(count(&answer, "stop", "chart-discovery is connected"), Some(1), "{answer}");
    drop(pod);
}

#[tokio::test]
async fn newer_versions_of_platz_are_told_and_not_refused() {
    let platz = PlatzDatabase::new().await;
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20270101000000');
        ALTER TABLE helm_charts ADD COLUMN git_commit varchar";
    platz.rows.batch_execute(newer).await.unwrap();
    let answer = check(&platz).await;
    assert_eq!(answer["adoptable"], true, "{answer}");
    assert_eq!(count(&answer, "tell", "newer than the newest"), Some(1), "{answer}");
    assert_eq!(count(&answer, "tell", "helm_charts.git_commit"), Some(1), "{answer}");
}

/// The names of the schema's relations and functions.
const NAMES: &str = "\
SELECT relname::text, 'CREATE VIEW ' || quote_ident(relname) || ' AS SELECT 1'
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind <> 'S'
    AND oid NOT IN (SELECT conindid FROM pg_constraint)
UNION
SELECT proname::text,
    'CREATE FUNCTION ' || quote_ident(proname) || '() RETURNS integer RETURN 1'
FROM pg_proc WHERE pronamespace = 'public'::regnamespace";

#[tokio::test]
async fn every_name_that_an_adoption_takes_is_looked_for() {
    let platz = PlatzDatabase::new().await;
    let names = async || {
        let rows = platz.rows.query(NAMES, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(String, String)>>()
    };
    let before = names().await;
    platz.adopt().await;
    let mut taken = names().await;
    // An index or a sequence of our own tables gets another name if its name is taken.
    let ours = "SELECT indexrelid::regclass::text FROM pg_index
        WHERE indrelid::regclass::text NOT IN
            ('helm_charts', 'helm_registries', 'helm_tag_formats', 'deployment_kinds')";
    let ours = platz.rows.query(ours, &[]).await.unwrap();
    let ours: Vec<String> = ours.iter().map(|row| row.get(0)).collect();
    taken.retain(|name| !before.contains(name) && !ours.contains(&name.0));
    assert!(taken.len() > 30, "{taken:?}");
    for (name, create) in taken {
        let platz = PlatzDatabase::without_rows().await;
        platz.rows.batch_execute(&create).await.unwrap();
        let answer = check(&platz).await;
        assert_eq!(count(&answer, "stop", &name), Some(1), "{name}: {answer}");
    }
}
