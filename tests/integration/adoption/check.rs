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
        ("UPDATE helm_registries SET domain_name = domain_name || '/'", "slash"),
        ("UPDATE helm_registries SET domain_name = upper(domain_name)", "upper-case"),
        ("UPDATE helm_registries SET domain_name = '' WHERE provider = 'Ecr'", "empty domain_name"),
        ("ALTER TABLE deployments RENAME COLUMN kind_id TO kind", "kind_id"),
        ("ALTER TABLE helm_charts ENABLE ROW LEVEL SECURITY", "row-level security"),
        (
            "CREATE RULE keep AS ON UPDATE TO deployment_kinds DO INSTEAD NOTHING",
            "rules or row-level security",
        ),
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
async fn login_without_rights_is_told_what_it_may_not_read() {
    let mut platz = PlatzDatabase::new().await;
    let role = platz.database.name().to_owned();
    let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'none'");
    platz.rows.batch_execute(&create).await.unwrap();
    platz.database.log_in_as(&role, "none").unwrap();
    let answer = check(&platz).await;
    assert_eq!(count(&answer, "stop", "may not read tables of Platz's"), Some(6), "{answer}");
}

#[tokio::test]
async fn publication_of_all_tables_and_odd_tags_are_told() {
    let platz = PlatzDatabase::new().await;
    let odd = "CREATE PUBLICATION everything FOR ALL TABLES;
        UPDATE helm_charts SET image_tag = 'a/b' WHERE image_tag = '1.9.0'";
    platz.rows.batch_execute(odd).await.unwrap();
    let answer = check(&platz).await;
    assert_eq!(answer["adoptable"], true, "{answer}");
    assert_eq!(count(&answer, "tell", "everything"), Some(1), "{answer}");
    assert_eq!(count(&answer, "tell", "no registry can have"), Some(1), "{answer}");
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
    taken.retain(|name| !before.contains(name));
    assert!(taken.len() > 30, "{taken:?}");
    for (name, create) in taken {
        let platz = PlatzDatabase::without_rows().await;
        platz.rows.batch_execute(&create).await.unwrap();
        let answer = check(&platz).await;
        assert_eq!(count(&answer, "stop", &name), Some(1), "{name}: {answer}");
    }
}
