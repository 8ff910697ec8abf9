//! Tag formats that Platz adds with its own role, and the function that notices each change.

use serde_json::{Value, json};
use tests::function::Function;

use crate::support::assert_summary::assert_summary;
use crate::support::platz::PlatzDatabase;
use crate::support::platz_site::{changes, versions};
use crate::support::stack::count;

async fn parse(platz: &PlatzDatabase) -> Value {
    let settings = [("DATABASE_URL", platz.database.url()), ("ENABLE_TAG_PARSER", "true")];
    let function = Function::start("tag-parser", &settings).await.unwrap();
    function.invoke(&json!({})).await.unwrap()
}

#[tokio::test]
async fn a_format_that_platz_adds_changes_only_the_rows_that_differ() {
    let platz = PlatzDatabase::new().await;
    platz.adopt().await;
    assert_summary!(parse(&platz).await, checked = 0, changed = 0);
    let versions_before = versions(&platz).await;
    let mut api = platz.listen("db_notifications").await;
    // Newest first: this format wins over the ones that Platz had.
    let format = r"INSERT INTO helm_tag_formats (pattern)
        VALUES ('^(?P<version>\d+\.\d+\.\d+)-(?P<branch>[a-z]+)\.(?P<commit>.+)$')";
    platz.rows.batch_execute(format).await.unwrap();
    assert_eq!(changes(&api.heard().await), ["INSERT helm_tag_formats"]);
    // One tag matches it, and its columns but the format's id stay what they are.
    assert_summary!(parse(&platz).await, checked = 12, changed = 1, complete = true);
    assert_eq!(changes(&api.heard().await), ["UPDATE helm_charts"]);
    let written: Vec<String> = versions(&platz)
        .await
        .into_iter()
        .filter(|version| !versions_before.contains(version))
        .collect();
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(written[0].starts_with("2.4.0-main.89abcde "), "{written:?}");
    assert_summary!(parse(&platz).await, checked = 0, changed = 0);
    assert_eq!(api.heard().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_format_that_tells_nothing_new_writes_no_row() {
    let platz = PlatzDatabase::new().await;
    platz.adopt().await;
    let versions_before = versions(&platz).await;
    let format = "INSERT INTO helm_tag_formats (pattern) VALUES ('^nothing(?P<version>x)$')";
    platz.rows.batch_execute(format).await.unwrap();
    assert_summary!(parse(&platz).await, checked = 12, changed = 0, complete = true);
    assert_eq!(versions(&platz).await, versions_before);
}

/// The role of Platz owns its tables and is no superuser. Ours are another role's, without grants.
const OTHER_ROLE: &str = "\
CREATE ROLE ROLE_OF_PLATZ;
ALTER TABLE helm_tag_formats OWNER TO ROLE_OF_PLATZ;
ALTER TABLE helm_charts OWNER TO ROLE_OF_PLATZ;
GRANT ALL ON SCHEMA public TO ROLE_OF_PLATZ;
SET ROLE ROLE_OF_PLATZ;
CREATE TEMPORARY TABLE helm_tag_formats_version (is_only boolean, version bigint);
CREATE FUNCTION pg_temp.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
SET search_path = pg_temp, public";

#[tokio::test]
async fn temporary_objects_of_platzs_role_do_not_stand_in_for_ours() {
    let platz = PlatzDatabase::new().await;
    platz.adopt().await;
    let version = "SELECT version FROM public.helm_tag_formats_version";
    let before = count(&platz.rows, version).await;
    let role = platz.database.connect().await.unwrap();
    // The name begins as those of the databases do, so that the role is removed with them.
    let other_role = OTHER_ROLE.replace("ROLE_OF_PLATZ", platz.database.name());
    role.batch_execute(&other_role).await.unwrap();
    let formats = "INSERT INTO helm_tag_formats (pattern) VALUES ('^x(?P<version>.*)$');
        DELETE FROM helm_tag_formats WHERE pattern LIKE '^x%'";
    role.batch_execute(formats).await.unwrap();
    assert_eq!(count(&platz.rows, version).await, before + 2);
    let refused =
        role.batch_execute("UPDATE public.helm_tag_formats_version SET version = 0").await;
    assert!(refused.is_err(), "the role has no right on our table");
}

#[tokio::test]
async fn functions_with_rights_of_their_own_have_a_fixed_path_and_are_not_public() {
    let platz = PlatzDatabase::new().await;
    platz.adopt().await;
    let own = tests::postgres::TestDatabase::create().await.unwrap().connect().await.unwrap();
    for rows in [&platz.rows, &own] {
        let functions = rows
            .query(
                "SELECT proname::text, coalesce(proconfig::text, ''),
                    has_function_privilege('public', oid, 'EXECUTE')
                FROM pg_proc
                WHERE prosecdef AND pronamespace = 'public'::regnamespace",
                &[],
            )
            .await
            .unwrap();
        assert!(!functions.is_empty());
        for function in functions {
            let (name, path): (&str, &str) = (function.get(0), function.get(1));
            assert_eq!(path, r#"{"search_path=pg_catalog, pg_temp"}"#, "{name}");
            assert!(!function.get::<_, bool>(2), "{name} can be called by every role");
        }
    }
}
