//! `{"adopt":true}`: what it leaves as it was, what may run at the same time, and how it resumes.

use serde_json::json;

use crate::support::platz::PlatzDatabase;
use crate::support::stack::count;

#[tokio::test]
async fn an_empty_payload_refuses_a_database_of_platz_and_names_the_next_step() {
    let platz = PlatzDatabase::new().await;
    let catalog = platz.catalog().await;
    let error = platz.invoke(json!({})).await.unwrap_err();
    assert!(error.contains(r#"{"adopt":"check"}"#), "{error}");
    assert_eq!(platz.catalog().await, catalog);
}

#[tokio::test]
async fn an_adoption_changes_no_row_and_no_table_of_platz_and_notifies_nobody() {
    let platz = PlatzDatabase::new().await;
    let (contents, before) = (platz.contents().await, platz.catalog().await);
    let mut api = platz.listen("db_notifications").await;
    let answer = platz.adopt().await;
    assert_eq!(
        answer["adopted"],
        json!({"kinds": 3, "registries": 3, "charts": 12, "tags": 8}),
        "{answer}"
    );
    assert_eq!(platz.contents().await, contents);
    assert_eq!(api.heard().await, Vec::<serde_json::Value>::new());
    let after = platz.catalog().await;
    let lost: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let tables = ["deployment_kinds", "helm_registries", "helm_tag_formats", "helm_charts"];
    let touched = after.iter().filter(|line| !before.contains(line)).filter(|line| {
        let name = line.split([' ', '.', '(']).nth(1).unwrap_or_default();
        tables.contains(&name) || tables.iter().any(|t| line.contains(&format!(" ON public.{t} ")))
    });
    for line in touched {
        assert!(
            line.starts_with("index ") || line.starts_with("trigger helm_tag_formats."),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_repeated_adoption_gives_the_same_answer_and_changes_nothing() {
    let platz = PlatzDatabase::new().await;
    let first = platz.adopt().await;
    let catalog = platz.catalog().await;
    let second = platz.adopt().await;
    assert_eq!(second["adopted"], first["adopted"]);
    assert_eq!(second["applied"], json!([]));
    assert_eq!(second["current"], first["current"]);
    assert_eq!(platz.catalog().await, catalog);
    let nothing = json!({"applied": [], "current": first["current"]});
    assert_eq!(platz.invoke(json!({})).await.unwrap(), nothing);
}

#[tokio::test]
async fn two_adoptions_at_once_are_one() {
    let platz = PlatzDatabase::new().await;
    let (one, other) = (platz.migrate().await, platz.migrate().await);
    let payload = json!({"adopt": true});
    let (one, other) = tokio::join!(one.invoke(&payload), other.invoke(&payload));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one["adopted"], other["adopted"]);
    let applied = [&one, &other].map(|answer| answer["applied"].as_array().unwrap().len());
    assert!(applied.contains(&0) && applied != [0, 0], "{applied:?}");
    assert_eq!(count(&platz.rows, "SELECT count(*) FROM helm_chart_details").await, 12);
}

#[tokio::test]
async fn an_adoption_finishes_beside_a_backup() {
    let platz = PlatzDatabase::new().await;
    let backup = platz.database.connect().await.unwrap();
    backup
        .batch_execute(
            "BEGIN; LOCK TABLE deployment_kinds, helm_registries, helm_tag_formats, helm_charts,
            deployments, deployment_tasks IN ACCESS SHARE MODE",
        )
        .await
        .unwrap();
    platz.adopt().await;
    backup.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn an_interrupted_adoption_is_named_and_resumed() {
    let platz = PlatzDatabase::new().await;
    platz.interrupt_an_adoption().await;
    let refused = platz.invoke(json!({})).await.unwrap_err();
    assert!(refused.contains(r#"{"adopt":true}"#), "{refused}");
    let check = platz.invoke(json!({"adopt": "check"})).await.unwrap();
    assert_eq!(check["adoptable"], true, "{check}");
    assert!(check.to_string().contains("was interrupted"), "{check}");
    let answer = platz.adopt().await;
    assert_eq!(answer["adopted"]["charts"], 12, "{answer}");
}

#[tokio::test]
async fn an_interrupted_adoption_is_not_resumed_while_the_predecessor_runs() {
    let platz = PlatzDatabase::new().await;
    platz.interrupt_an_adoption().await;
    let pod = platz.listen("db_helm_tag_formats_notifications").await;
    let error = platz.invoke(json!({"adopt": true})).await.unwrap_err();
    assert!(error.contains("scale its StatefulSet to 0"), "{error}");
    drop(pod);
}

#[tokio::test]
async fn settings_of_the_login_and_other_schemas_do_not_count() {
    let platz = PlatzDatabase::new().await;
    let (contents, catalog) = (platz.contents().await, platz.catalog().await);
    let database = platz.database.name();
    // The first schema of the search path is the one that is named as the login.
    let odd = format!(
        "CREATE SCHEMA postgres;
        ALTER DATABASE {database} SET default_transaction_read_only = on;
        ALTER DATABASE {database} SET default_transaction_isolation = 'serializable';
        ALTER DATABASE {database} SET standard_conforming_strings = off;
        ALTER DATABASE {database} SET lock_timeout = '1ms'"
    );
    platz.rows.batch_execute(&odd).await.unwrap();
    platz.adopt().await;
    assert_eq!(platz.contents().await, contents);
    let elsewhere = "SELECT count(*) FROM pg_class WHERE relnamespace = 'postgres'::regnamespace";
    assert_eq!(count(&platz.rows, elsewhere).await, 0);
    let key = "SELECT count(*) FROM (SELECT semver_key('1x2x3')) AS keys (key) WHERE key IS NULL";
    assert_eq!(count(&platz.rows, key).await, 1);
    platz.invoke(json!({"unadopt": true})).await.unwrap();
    assert_eq!(platz.catalog().await, catalog);
}

#[tokio::test]
async fn owner_of_the_tables_owns_what_an_adoption_makes() {
    let platz = PlatzDatabase::new().await;
    let owner = platz.database.name();
    let own = format!(
        "CREATE ROLE {owner};
        GRANT CREATE, USAGE ON SCHEMA public TO {owner};
        DO $$
        DECLARE
            name regclass;
        BEGIN
            FOR name IN SELECT oid FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
            LOOP
                EXECUTE format('ALTER TABLE %s OWNER TO {owner}', name);
            END LOOP;
        END
        $$"
    );
    platz.rows.batch_execute(&own).await.unwrap();
    platz.adopt().await;
    let others = format!(
        "SELECT count(*) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relowner <> '{owner}'::regrole"
    );
    assert_eq!(count(&platz.rows, &others).await, 0);
    platz.invoke(json!({"unadopt": true})).await.unwrap();
}
