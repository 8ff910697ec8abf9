//! Makes the role of the functions, gives it its rights, and remembers those that it has on Platz's
//! tables.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

/// How the statements name the role. It is psql's variable, so that psql can run them too.
const ROLE: &str = r#":"role""#;

/// How the statements name the database and its schema.
const DATABASE: &str = r#":"database""#;
const SCHEMA: &str = r#":"schema""#;

/// Returns the quoted names of a role, of this database and of its schema, unless there is such a
/// role.
const FIND_NAMES: &str = "\
SELECT quote_ident($1), quote_ident(current_database()), quote_ident(current_schema())
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";

/// Makes a role that logs in to RDS with IAM tokens, for which RDS has the role `rds_iam`. The
/// timeouts are set here, because RDS Proxy pins a connection that sets anything itself.
const CREATE_IAM_LOGIN: &str = r#"
CREATE ROLE :"role" LOGIN;
GRANT rds_iam TO :"role";
GRANT CONNECT ON DATABASE :"database" TO :"role";
GRANT USAGE ON SCHEMA :"schema" TO :"role";
ALTER ROLE :"role" SET statement_timeout = '10s';
ALTER ROLE :"role" SET lock_timeout = '5s';
ALTER ROLE :"role" SET idle_in_transaction_session_timeout = '15s';
"#;

/// `public` is no role, so that rights are never given to everyone.
const FIND: &str = "SELECT quote_ident(rolname), oid FROM pg_roles WHERE rolname = $1";

/// The rights of a role on tables that are not ours, each with what `unadopt` needs to revoke it.
const RIGHTS: &str = "\
SELECT coalesce(jsonb_agg(jsonb_build_object(
    'role', grantee::bigint, 'privilege', privilege_type, 'table', relname, 'column', attname
)), '[]')::text
FROM (
    SELECT relname, NULL AS attname, acl.*
    FROM pg_class CROSS JOIN aclexplode(relacl) AS acl
    WHERE relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT relname, attname, acl.*
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    CROSS JOIN aclexplode(attacl) AS acl
    WHERE relnamespace = current_schema()::regnamespace
) AS rights
WHERE grantee = $1
    AND relname IN (
        'deployment_kinds', 'deployments', 'helm_registries', 'helm_tag_formats', 'helm_charts'
    )";

/// Adds the rights that the role did not have before.
const REMEMBER: &str = "\
UPDATE discovery_layout
SET granted = granted || (
    SELECT coalesce(jsonb_agg(new.item), '[]')
    FROM jsonb_array_elements($2::text::jsonb) AS new (item)
    WHERE NOT EXISTS (
        SELECT FROM jsonb_array_elements($1::text::jsonb) AS old (item) WHERE old.item = new.item
    )
)
WHERE layout = 'platz'";

/// Makes a role that logs in to RDS with IAM tokens. Returns whether it made one: a role that
/// exists stays as it is.
///
/// # Errors
/// When this login may not create roles, or when the server is not RDS.
pub async fn create_iam_login(
    transaction: &Transaction<'_>,
    role: &str,
) -> Result<bool, tokio_postgres::Error> {
    let names = transaction.query_typed(FIND_NAMES, &[(&role, Type::NAME)]).await?;
    let Some(row) = names.first() else { return Ok(false) };
    let statements = CREATE_IAM_LOGIN
        .replace(DATABASE, row.try_get(1)?)
        .replace(SCHEMA, row.try_get(2)?)
        .replace(ROLE, row.try_get(0)?);
    transaction.batch_execute(&statements).await?;
    Ok(true)
}

/// Runs statements that grant rights to `:"role"`. Returns false, and runs nothing, if there is no
/// such role. Safe to repeat.
///
/// # Errors
/// When the login does not own the tables.
pub async fn grant(
    transaction: &Transaction<'_>,
    role: &str,
    statements: &str,
) -> Result<bool, tokio_postgres::Error> {
    let found = transaction.query_typed(FIND, &[(&role, Type::NAME)]).await?;
    let Some(row) = found.first() else { return Ok(false) };
    let (quoted, oid): (&str, u32) = (row.try_get(0)?, row.try_get(1)?);
    let rights = async || {
        let row = transaction.query_typed_one(RIGHTS, &[(&oid, Type::OID)]).await?;
        row.try_get::<_, String>(0)
    };
    let before = rights().await?;
    transaction.batch_execute(&statements.replace(ROLE, quoted)).await?;
    let after = rights().await?;
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&before, Type::TEXT), (&after, Type::TEXT)];
    transaction.execute_typed(REMEMBER, &parameters).await?;
    Ok(true)
}
