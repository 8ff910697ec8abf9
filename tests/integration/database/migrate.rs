//! `migrate` on an empty database, a second time, twice at the same time, and on the predecessor's
//! database.

use serde_json::{Value, json};
use tests::function::Function;
use tests::postgres::TestDatabase;

use crate::support::stack::count;

async fn migrate(database: &TestDatabase) -> Function {
    Function::start("migrate", &[("DATABASE_URL", database.url())]).await.unwrap()
}

fn applied(answer: &Value) -> usize {
    answer["applied"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_second_run_applies_nothing() {
    let database = TestDatabase::create_empty().await.unwrap();
    let function = migrate(&database).await;
    let first = function.invoke(&json!({})).await.unwrap();
    assert_eq!(first["applied"][0], "V0001__create_k8s_deployment_kinds");
    assert_eq!(first["current"], applied(&first));
    let second = function.invoke(&json!({})).await.unwrap();
    assert_eq!(second, json!({"applied": [], "current": first["current"]}));
}

#[tokio::test]
async fn two_concurrent_runs_apply_each_migration_once() {
    let database = TestDatabase::create_empty().await.unwrap();
    let (one, other) = (migrate(&database).await, migrate(&database).await);
    let payload = json!({});
    let (one, other) = tokio::join!(one.invoke(&payload), other.invoke(&payload));
    let (one, other) = (one.unwrap(), other.unwrap());
    let expected = usize::try_from(one["current"].as_u64().unwrap()).unwrap();
    assert_eq!(applied(&one) + applied(&other), expected);
    assert_eq!(one["current"], other["current"]);
    let rows = database.connect().await.unwrap();
    let history = count(&rows, "SELECT count(*) FROM refinery_schema_history").await;
    assert_eq!(usize::try_from(history).unwrap(), expected);
}

#[tokio::test]
async fn database_of_the_predecessor_is_refused_and_unchanged() {
    let database = TestDatabase::create_empty().await.unwrap();
    let rows = database.connect().await.unwrap();
    let theirs = "CREATE TABLE __diesel_schema_migrations (version text); CREATE TABLE helm_charts \
                  (id uuid)";
    rows.batch_execute(theirs).await.unwrap();
    let error = migrate(&database).await.invoke(&json!({})).await.unwrap_err().to_string();
    assert!(error.contains("__diesel_schema_migrations"), "{error}");
    assert_eq!(count(&rows, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, 2);
}

#[tokio::test]
async fn payload_that_is_not_empty_is_refused() {
    let database = TestDatabase::create_empty().await.unwrap();
    let error = migrate(&database).await.invoke(&json!({"to": 3})).await.unwrap_err().to_string();
    assert!(error.contains("{}"), "{error}");
}

#[tokio::test]
async fn tables_have_the_columns_that_programs_read() {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    let table = [
        ("k8s_deployment_kinds", "created_at? id name"),
        (
            "helm_registries",
            "available created_at domain_name fa_icon id kind_id provider repo_name",
        ),
        ("helm_tag_formats", "created_at id pattern"),
        (
            "helm_charts",
            "actions_schema? available created_at error? features? helm_registry_id id \
             image_digest image_tag parsed_branch? parsed_commit? parsed_revision? parsed_version? \
             resource_types? tag_format_id? values_ui?",
        ),
        (
            "helm_chart_contents",
            "actions_schema? app_version? chart_name? chart_version? contents_version description? \
             digest error? features? git_branch? git_commit? git_repo? has_provenance \
             is_incomplete left_out metadata? readme? resource_types? values_schema? values_ui? \
             values_yaml?",
        ),
        ("helm_chart_details", "adopted chart_id parsed_with"),
        ("deployment_kind_icons", "fa_icon kind_id"),
        (
            "discovery_layout",
            "adopted? adopted_at? ecr_imports? granted is_only layout platz_schema?",
        ),
        ("admin_logins", "expires_at state_hash"),
        ("admin_changes", "after? before? created_at id object_id object_type user_name"),
        (
            "observations",
            "changed_at digest? missing_since? observed_at reference registry_host repo_name",
        ),
        ("dismissed_charts", "digest dismissed_at reference registry_host repo_name"),
        ("instance_changes", "generation instance repo_name"),
        (
            "reference_faults",
            "attempts error first_at instance kind last_at next_at reference registry_host \
             repo_name",
        ),
        ("seen_repositories", "instance lost_at? registry_host repo_name"),
        (
            "discovery_instances",
            "configuration? events_lost_at? former_domains function_name? generation has_seen_all \
             last_error? last_event_at? last_hint_at? last_invoked_at last_started_at? \
             last_succeeded_at? last_summary? name progress? provider? repair_asked_at? source?",
        ),
    ];
    let sql = "\
        SELECT string_agg(column_name || CASE is_nullable WHEN 'YES' THEN '?' ELSE '' END, ' ' \
        ORDER BY column_name)
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1";
    for (name, columns) in table {
        let found: String = rows.query_one(sql, &[&name]).await.unwrap().get(0);
        assert_eq!(found, columns, "{name}");
    }
}

#[tokio::test]
async fn database_of_version_1_is_refused_and_left_alone() {
    let database = TestDatabase::create_empty().await.unwrap();
    let rows = database.connect().await.unwrap();
    let theirs = "CREATE TABLE refinery_schema_history (version integer);
        CREATE TABLE observations (reference text); CREATE TABLE helm_charts (id uuid)";
    rows.batch_execute(theirs).await.unwrap();
    let error = migrate(&database).await.invoke(&json!({})).await.unwrap_err().to_string();
    assert!(error.contains("version 1") && error.contains("nothing was changed"), "{error}");
    assert_eq!(count(&rows, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, 3);
}
