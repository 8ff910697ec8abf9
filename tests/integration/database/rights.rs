//! The least rights: the functions do all that they do with what `migrate` gives their role.

use reqwest::Method;
use serde_json::{Value, json};
use shared::config::{DatabaseLogin, DatabaseSettings};
use shared::db::Database;
use tests::function::Function;
use tests::postgres::TestDatabase;

use crate::support::admin_site::{client, read};
use crate::support::assert_summary::assert_summary;
use crate::support::diagnosis_site::DiagnosisSite;
use crate::support::ecr_messages::{delete, push};
use crate::support::functions_role::LimitedStack;
use crate::support::platz::PlatzDatabase;
use crate::support::stack::{batch, count, failed};

/// The rights on tables and functions that the role has in both layouts.
const RIGHTS: [&str; 64] = [
    "admin_changes INSERT",
    "admin_changes SELECT",
    "admin_logins DELETE",
    "admin_logins INSERT",
    "admin_logins SELECT",
    "chart_tag_info()",
    "deployment_kind_icons INSERT",
    "deployment_kind_icons SELECT",
    "deployment_kind_icons UPDATE",
    "deployments_of_kind()",
    "deployments_of_registry()",
    "discovery_instances DELETE",
    "discovery_instances INSERT",
    "discovery_instances SELECT",
    "discovery_instances UPDATE",
    "discovery_layout SELECT",
    "discovery_layout UPDATE (ecr_imports)",
    "dismissed_charts DELETE",
    "dismissed_charts INSERT",
    "dismissed_charts SELECT",
    "ensure_registry()",
    "helm_chart_contents INSERT",
    "helm_chart_contents SELECT",
    "helm_chart_contents UPDATE",
    "helm_chart_details DELETE",
    "helm_chart_details INSERT",
    "helm_chart_details SELECT",
    "helm_chart_details UPDATE",
    "helm_charts INSERT (created_at, helm_registry_id, image_digest, image_tag, values_ui, \
     actions_schema, features, resource_types, error, tag_format_id, parsed_version, \
     parsed_revision, parsed_branch, parsed_commit)",
    "helm_charts SELECT",
    "helm_charts UPDATE (available, values_ui, actions_schema, features, resource_types, error, \
     tag_format_id, parsed_version, parsed_revision, parsed_branch, parsed_commit)",
    "helm_registries INSERT (domain_name, repo_name, kind_id, provider)",
    "helm_registries SELECT",
    "helm_registries UPDATE (domain_name, kind_id, fa_icon)",
    "helm_tag_formats DELETE",
    "helm_tag_formats INSERT (pattern)",
    "helm_tag_formats SELECT",
    "helm_tag_formats UPDATE (pattern)",
    "helm_tag_formats_version SELECT",
    "helm_tag_formats_version UPDATE (tidied_at)",
    "instance_changes DELETE",
    "instance_changes INSERT",
    "instance_changes SELECT",
    "is_one_kind()",
    "k8s_deployment_kinds INSERT (name)",
    "k8s_deployment_kinds SELECT",
    "k8s_deployment_kinds UPDATE (name)",
    "kind_names()",
    "observations DELETE",
    "observations INSERT",
    "observations SELECT",
    "observations UPDATE",
    "ordered_tag_formats()",
    "reference_faults DELETE",
    "reference_faults INSERT",
    "reference_faults SELECT",
    "reference_faults UPDATE",
    "registry_host()",
    "seen_repositories DELETE",
    "seen_repositories INSERT",
    "seen_repositories SELECT",
    "seen_repositories UPDATE",
    "semver_key()",
    "stored_domain_name()",
];

#[tokio::test]
async fn functions_need_no_more_rights_than_their_role_has() {
    let limited = LimitedStack::on(TestDatabase::create().await.unwrap()).await;
    assert_rights(&limited, &[]).await;
    for table in ["helm_charts", "helm_registries", "k8s_deployment_kinds"] {
        limited.assert_may_not_delete(table).await;
    }
    use_every_right(limited).await;
}

#[tokio::test]
async fn functions_need_no_more_rights_in_a_database_of_platz() {
    let platz = PlatzDatabase::new().await;
    platz.adopt().await;
    let limited = LimitedStack::on(platz.database).await;
    let more = [
        "deployments SELECT (name, kind_id, helm_chart_id)",
        "plain_kind_name()",
        "predecessor_kind_name()",
    ];
    assert_rights(&limited, &more).await;
    for table in ["helm_charts", "helm_registries", "deployment_kinds", "k8s_deployment_kinds"] {
        limited.assert_may_not_delete(table).await;
    }
    use_every_right(limited).await;
}

#[tokio::test]
async fn database_that_is_given_back_keeps_the_rights_that_others_gave() {
    let platz = PlatzDatabase::new().await;
    // A role with rights on every new table is none of ours.
    let given = "GRANT SELECT ON helm_charts TO pg_monitor;
        ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO pg_monitor";
    platz.rows.batch_execute(given).await.unwrap();
    platz.adopt().await;
    let role = platz.database.name();
    let given = format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON deployments TO {role}");
    platz.rows.batch_execute(&given).await.unwrap();
    let answer = platz.invoke(json!({"grant": role})).await.unwrap();
    assert_eq!(answer["granted"], role);
    platz.invoke(json!({"unadopt": true})).await.unwrap();
    let rights = "SELECT string_agg(concat(grantee::regrole, ' ', relname), ', ' ORDER BY relname)
        FROM pg_class, aclexplode(relacl)
        WHERE relnamespace = 'public'::regnamespace AND grantee <> relowner";
    let columns = "SELECT count(*) FROM pg_attribute WHERE attacl IS NOT NULL
        AND array_length(attacl, 1) > 0 AND attrelid = 'helm_charts'::regclass";
    let left: String = platz.rows.query_one(rights, &[]).await.unwrap().get(0);
    assert_eq!(left, format!("{role} deployments, pg_monitor helm_charts"));
    assert_eq!(count(&platz.rows, columns).await, 0);
}

#[tokio::test]
async fn rights_are_never_given_to_everyone() {
    let database = TestDatabase::create().await.unwrap();
    let settings = [("DATABASE_URL", database.url())];
    let migrate = Function::start("migrate", &settings).await.unwrap();
    let error = migrate.invoke(&json!({"grant": "public"})).await.unwrap_err().to_string();
    assert!(error.contains("there is no role"), "{error}");
}

#[tokio::test]
async fn role_that_does_not_exist_is_named_and_nothing_is_migrated() {
    let database = TestDatabase::create_empty().await.unwrap();
    let settings = [("DATABASE_URL", database.url())];
    let migrate = Function::start("migrate", &settings).await.unwrap();
    let error = migrate.invoke(&json!({"grant": "No Such \"Role"})).await.unwrap_err().to_string();
    assert!(error.contains(r#"there is no role "No Such \"Role""#), "{error}");
    let rows = database.connect().await.unwrap();
    let tables = "SELECT count(*) FROM pg_class WHERE relname = 'helm_charts'";
    assert_eq!(count(&rows, tables).await, 0);
}

/// Checks that the role has these rights and the common ones, and no other one. Checks that
/// granting once more adds none.
async fn assert_rights(limited: &LimitedStack, of_platz: &[&str]) {
    let mut expected: Vec<&str> = RIGHTS.iter().chain(of_platz).copied().collect();
    expected.sort_unstable();
    for _ in 0..2 {
        let mut rights = limited.rights().await;
        rights.sort();
        assert_eq!(rights, expected);
        assert_eq!(limited.grant().await["applied"], json!([]));
    }
}

/// Runs the functions as the role.
async fn use_every_right(limited: LimitedStack) {
    remember_what_persons_did(limited.stack.database.url()).await;
    let site = DiagnosisSite::on(limited.stack, &[], &[]).await;
    handle_events(&site).await;
    poll_and_diagnose(&site).await;
    change_tag_formats(&site).await;
    change_kinds_and_registries(&site).await;
}

/// Ends a login at the admin pages, as `admin` does after the provider's answer, and remembers an
/// import, as `ecr-events` does.
async fn remember_what_persons_did(url: &str) {
    let login = DatabaseLogin::Url(Box::new(url.parse().unwrap()));
    let database = Database::new(DatabaseSettings { login, ca_file: None }).unwrap();
    assert!(database.end_login("state").await.unwrap());
    assert!(!database.end_login("state").await.unwrap());
    database.remember_ecr_import("{}").await.unwrap();
}

/// A push, a move, a deletion, and a push of what was deleted.
async fn handle_events(site: &DiagnosisSite) {
    let stack = &site.stack;
    let first = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let handle = async |body: String| {
        let answer = site.ecr_events.invoke(&batch(&[body])).await.unwrap();
        assert_eq!(answer, failed(&[]), "{:?}", site.ecr_events.log());
    };
    handle(push("my-org/api", "1.0.0", &first)).await;
    let second = stack.pusher.push_chart("my-org/api", "1.0.0", "b").await.unwrap();
    handle(push("my-org/api", "1.0.0", &second)).await;
    stack.pusher.delete("my-org/api", &second).await.unwrap();
    handle(delete("my-org/api", Some("1.0.0"), &second)).await;
    stack.pusher.push_chart("my-org/api", "1.0.0", "b").await.unwrap();
    handle(push("my-org/api", "1.0.0", &second)).await;
    let available = format!(
        "SELECT count(*) FROM helm_charts
        WHERE available AND image_tag = '1.0.0' AND image_digest = '{second}'"
    );
    assert_eq!(count(&stack.rows, &available).await, 1);
}

/// A pass, a rescan of a row that an older version has spoilt, and the diagnosis that asks for it.
async fn poll_and_diagnose(site: &DiagnosisSite) {
    let stack = &site.stack;
    let digest = stack.pusher.push_chart("team/web", "1.0.0", "x").await.unwrap();
    assert_summary!(site.poll(&stack.instance()).await, added = 2, complete = true);
    let spoil = format!(
        "UPDATE helm_charts SET error = 'too new' WHERE image_digest = '{digest}';
        UPDATE helm_chart_contents SET error = 'too new' WHERE digest = '{digest}'"
    );
    stack.rows.batch_execute(&spoil).await.unwrap();
    let reference = stack.reference("team/web:1.0.0");
    let cause = site.expect(&reference, "row", "BROKEN", "invoke oci-poll with").await;
    site.follow(&cause.remedy).await;
    site.expect_ok(&reference).await;
    stack.pusher.delete("team/web", &digest).await.unwrap();
    assert_summary!(site.poll(&stack.instance()).await, unavailable = 1);
}

/// A format that charts get, a chart row that was deleted by hand, and a format that is deleted.
async fn change_tag_formats(site: &DiagnosisSite) {
    let stack = &site.stack;
    let settings = [("DATABASE_URL", stack.database.url()), ("ENABLE_TAG_PARSER", "true")];
    let parser = Function::start("tag-parser", &settings).await.unwrap();
    let major = json!({"pattern": r"^(?P<version>\d+)\.0\.0$"});
    assert_eq!(send(site, Method::POST, "helm-tag-formats", Some(&major)).await.0, 201);
    stack.rows.batch_execute("DELETE FROM helm_charts WHERE NOT available").await.unwrap();
    let answer = parser.invoke(&json!({})).await.unwrap();
    assert!(answer["changed"].as_u64().unwrap() > 0, "{answer}");
    let lost = "SELECT count(*) FROM helm_chart_details
        WHERE NOT EXISTS (SELECT FROM helm_charts WHERE id = chart_id)";
    assert_eq!(count(&stack.rows, lost).await, 0);

    let other = json!({"pattern": "^other-(?P<branch>.+)$"});
    let (_, added) = send(site, Method::POST, "helm-tag-formats", Some(&other)).await;
    let (_, formats) = send(site, Method::GET, "helm-tag-formats", None).await;
    let platz = "SELECT count(*) FROM discovery_layout WHERE layout = 'platz'";
    let is_platz = count(&stack.rows, platz).await == 1;
    for format in formats["items"].as_array().unwrap() {
        let is_used = format["charts"].as_u64().unwrap() > 0;
        let path = format!("helm-tag-formats/{}", format["id"].as_str().unwrap());
        let expected = if is_used && is_platz { 409 } else { 204 };
        let (status, answer) = send(site, Method::DELETE, &path, None).await;
        assert_eq!(status, expected, "{format} {answer}");
    }
    assert_eq!(added["charts"], 0);
}

/// A registry's icon, which its kind gets too, a kind's name, and a registry's kind.
async fn change_kinds_and_registries(site: &DiagnosisSite) {
    let first = async |path: &str| {
        let (status, list) = send(site, Method::GET, path, None).await;
        assert_eq!(status, 200, "{list}");
        list["items"][0].clone()
    };
    let registry = first("helm-registries?repo_name=team/web").await;
    let other = first("helm-registries?repo_name=my-org/api").await;
    let path = format!("helm-registries/{}", registry["id"].as_str().unwrap());
    for change in [
        json!({"fa_icon": "rocket"}),
        json!({"fa_icon": "globe"}),
        json!({"kind_id": other["kind_id"]}),
    ] {
        let (status, answer) = send(site, Method::PUT, &path, Some(&change)).await;
        assert_eq!(status, 200, "{answer}");
    }
    let kind = format!("deployment-kinds/{}", registry["kind_id"].as_str().unwrap());
    let (status, answer) = send(site, Method::PUT, &kind, Some(&json!({"name": "Web"}))).await;
    assert_eq!(status, 200, "{answer}");
    let page = format!("{}/admin/{path}", site.admin.url());
    let page = client().get(page).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("rocket"), "the page shows the changes: {page}");
    for list in ["deployment-kinds", "helm-charts", "discovery-instances"] {
        assert_ne!(first(list).await, Value::Null, "{list}");
    }
}

/// Calls the API.
async fn send(
    site: &DiagnosisSite,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let mut request = client().request(method, format!("{}/api/v2/{path}", site.admin.url()));
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    if answer.status() == 204 {
        return (204, Value::Null);
    }
    read(answer).await
}

/// RDS has the role `rds_iam`, which this test makes for a moment. No other test needs it.
#[tokio::test]
async fn login_by_iam_is_made_on_rds_alone() {
    let database = TestDatabase::create_empty().await.unwrap();
    let rows = database.connect().await.unwrap();
    let migrate = Function::start("migrate", &[("DATABASE_URL", database.url())]).await.unwrap();
    // The role is removed with the database, because its name begins so.
    let role = database.name();
    let request = json!({"grant": role, "login": "iam"});
    rows.batch_execute("DROP ROLE IF EXISTS rds_iam").await.unwrap();
    let error = migrate.invoke(&request).await.unwrap_err().to_string();
    assert!(error.contains("rds_iam"), "{error}");
    let made = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'");
    assert_eq!(count(&rows, &made).await, 0);
    rows.batch_execute("CREATE ROLE rds_iam").await.unwrap();
    for _ in 0..2 {
        assert_eq!(migrate.invoke(&request).await.unwrap()["granted"], role);
    }
    let about = format!(
        "SELECT concat_ws(' ', rolcanlogin, rolsuper, pg_has_role(oid, 'rds_iam', 'MEMBER'),
            has_table_privilege(oid, 'helm_charts', 'SELECT'), array_to_string(rolconfig, ','))
        FROM pg_roles WHERE rolname = '{role}'"
    );
    let about: String = rows.query_one(&about, &[]).await.unwrap().get(0);
    let timeouts = "statement_timeout=10s,lock_timeout=5s,idle_in_transaction_session_timeout=15s";
    assert_eq!(about, format!("t f t t {timeouts}"));
    rows.batch_execute("DROP ROLE rds_iam").await.unwrap();
}

/// A role that an administrator made keeps the login that it has.
#[tokio::test]
async fn role_that_exists_gets_no_other_login() {
    let database = TestDatabase::create_empty().await.unwrap();
    let rows = database.connect().await.unwrap();
    let role = database.name();
    rows.batch_execute(&format!("CREATE ROLE {role} NOLOGIN")).await.unwrap();
    let migrate = Function::start("migrate", &[("DATABASE_URL", database.url())]).await.unwrap();
    let answer = migrate.invoke(&json!({"grant": role, "login": "iam"})).await.unwrap();
    assert_eq!(answer["granted"], role);
    let login = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}' AND rolcanlogin");
    assert_eq!(count(&rows, &login).await, 0);
}
