//! The role that the functions log in as, with the rights that `migrate` gives it.

use serde_json::{Value, json};
use tests::function::Function;
use tests::postgres::TestDatabase;

use super::stack::{Stack, count};

/// The password of the role, for a server that wants one.
const PASSWORD: &str = "functions";

/// Our functions that any role may call. The role must get the right itself, because
/// administrators revoke it from `PUBLIC`.
const REVOKE_FROM_PUBLIC: &str = "\
DO $$
DECLARE
    ours regprocedure;
BEGIN
    FOR ours IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', ours);
    END LOOP;
END
$$";

/// The rights of a role, one line per relation and right. The columns are in brackets if the right
/// is on columns only.
const RIGHTS: &str = "\
SELECT concat(relname, ' ', privilege_type)
FROM pg_class, aclexplode(relacl)
WHERE grantee = $1::text::regrole
UNION ALL
SELECT concat(relname, ' ', privilege_type, ' (', string_agg(attname, ', ' ORDER BY attnum), ')')
FROM pg_class
JOIN pg_attribute ON attrelid = pg_class.oid, aclexplode(attacl)
WHERE grantee = $1::text::regrole
GROUP BY relname, privilege_type
UNION ALL
SELECT concat(proname, '()')
FROM pg_proc, aclexplode(proacl)
WHERE grantee = $1::text::regrole
ORDER BY 1";

/// A stack whose functions log in as a role of their own. `rows` is the owner's connection.
pub(crate) struct LimitedStack {
    pub(crate) stack: Stack,
    pub(crate) role: String,
    migrate: Function,
}

impl LimitedStack {
    /// Creates the role, and has `migrate` give it its rights.
    pub(crate) async fn on(database: TestDatabase) -> Self {
        let migrate =
            Function::start("migrate", &[("DATABASE_URL", database.url())]).await.unwrap();
        // The name begins as those of the databases do, so that the role is removed with them.
        let role = database.name().to_owned();
        let mut stack = Stack::on(database).await;
        let create = format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'");
        stack.rows.batch_execute(&create).await.unwrap();
        stack.rows.batch_execute(REVOKE_FROM_PUBLIC).await.unwrap();
        stack.database.log_in_as(&role, PASSWORD).unwrap();
        let limited = Self { stack, role, migrate };
        assert_eq!(limited.grant().await["granted"], limited.role);
        limited
    }

    /// Has `migrate` give the role its rights.
    pub(crate) async fn grant(&self) -> Value {
        self.migrate.invoke(&json!({"grant": self.role})).await.unwrap()
    }

    /// Lists the role's rights in the database, one line per relation and right.
    pub(crate) async fn rights(&self) -> Vec<String> {
        let rows = self.stack.rows.query(RIGHTS, &[&self.role]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Checks that the role is an ordinary one, and that it may delete no row of a table.
    pub(crate) async fn assert_may_not_delete(&self, table: &str) {
        let may = format!(
            "SELECT count(*) FROM pg_roles
            WHERE rolname = '{role}' AND (
                rolsuper OR has_table_privilege('{role}', '{table}', 'DELETE, TRUNCATE, TRIGGER')
            )",
            role = self.role
        );
        assert_eq!(count(&self.stack.rows, &may).await, 0, "{table}");
        let role = self.stack.database.connect().await.unwrap();
        let error = role.batch_execute(&format!("DELETE FROM {table}")).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{table}: {error}");
    }
}
