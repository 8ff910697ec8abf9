//! A database as the Platz backend keeps it, and what its own programs see of it.

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tests::function::Function;
use tests::postgres::{PLATZ_SCHEMA, TestDatabase};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::stack::count;

/// Rows as Platz's chart-discovery leaves them.
const ROWS: &str = include_str!("../../platz/rows.sql");

/// The rows of the tables that discovery or a deployment uses, as one text.
const CONTENTS: &str = "\
SELECT string_agg(row_text, chr(10) ORDER BY row_text)
FROM (
    SELECT 'chart ' || to_jsonb(t)::text AS row_text FROM helm_charts AS t
    UNION ALL SELECT 'registry ' || to_jsonb(t)::text FROM helm_registries AS t
    UNION ALL SELECT 'kind ' || to_jsonb(t)::text FROM deployment_kinds AS t
    UNION ALL SELECT 'format ' || to_jsonb(t)::text FROM helm_tag_formats AS t
    UNION ALL SELECT 'deployment ' || to_jsonb(t)::text FROM deployments AS t
    UNION ALL SELECT 'task ' || to_jsonb(t)::text FROM deployment_tasks AS t
) AS all_rows";

/// The schema's tables, columns, constraints, indexes, triggers, functions and extensions, one line
/// each.
const CATALOG: &str = "\
SELECT line FROM (
    SELECT 'relation ' || relname || ' ' || relkind::text || ' ' || relowner::regrole::text AS line
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')
    UNION ALL
    SELECT 'column ' || attrelid::regclass || '.' || attname || ' '
        || format_type(atttypid, atttypmod) || ' ' || attnotnull
        || coalesce(' ' || pg_get_expr(adbin, adrelid), '')
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'v')
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'constraint ' || conrelid::regclass || '.' || conname || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT CASE WHEN indisunique THEN 'unique ' ELSE '' END || 'index '
        || pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'trigger ' || tgrelid::regclass || '.' || tgname || ' ' || tgenabled::text || ' '
        || pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function ' || oid::regprocedure || ' ' || md5(prosrc) || coalesce(proacl::text, '')
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'extension ' || extname FROM pg_extension
) AS lines
ORDER BY line";

/// A database of Platz's, with rows.
pub(crate) struct PlatzDatabase {
    pub(crate) database: TestDatabase,
    pub(crate) rows: Client,
}

impl PlatzDatabase {
    /// Makes one with the usual rows.
    pub(crate) async fn new() -> Self {
        let platz = Self::without_rows().await;
        platz.rows.batch_execute(ROWS).await.unwrap();
        platz
    }

    /// Makes one whose tables are empty.
    pub(crate) async fn without_rows() -> Self {
        let database = TestDatabase::create_empty().await.unwrap();
        let rows = database.connect().await.unwrap();
        rows.batch_execute(PLATZ_SCHEMA).await.unwrap();
        Self { database, rows }
    }

    /// Starts `migrate` on it.
    pub(crate) async fn migrate(&self) -> Function {
        Function::start("migrate", &[("DATABASE_URL", self.database.url())]).await.unwrap()
    }

    /// Invokes `migrate` once.
    pub(crate) async fn invoke(&self, payload: Value) -> Result<Value, String> {
        self.migrate().await.invoke(&payload).await.map_err(|error| error.to_string())
    }

    /// Adopts it.
    pub(crate) async fn adopt(&self) -> Value {
        self.invoke(json!({"adopt": true})).await.unwrap()
    }

    /// Kills an adoption after its migrations, before it has changed any of Platz's tables.
    pub(crate) async fn interrupt_an_adoption(&self) {
        let writer = self.database.connect().await.unwrap();
        // The trigger has to wait for a writer of tag formats.
        let lock = "BEGIN; LOCK TABLE helm_tag_formats IN ROW EXCLUSIVE MODE";
        writer.batch_execute(lock).await.unwrap();
        let function = self.migrate().await;
        let payload = json!({"adopt": true});
        let began = "SELECT count(*) FROM pg_class WHERE relname = 'discovery_layout'";
        let killed = async {
            while count(&self.rows, began).await == 0 {
                tokio::task::yield_now().await;
            }
            function.signal("KILL").await.unwrap();
        };
        let (outcome, ()) = tokio::join!(function.invoke(&payload), killed);
        outcome.unwrap_err();
        writer.batch_execute("COMMIT").await.unwrap();
    }

    /// Returns the rows of Platz's tables.
    pub(crate) async fn contents(&self) -> String {
        self.rows.query_one(CONTENTS, &[]).await.unwrap().get(0)
    }

    /// Returns what the catalog says of the schema, one line each.
    pub(crate) async fn catalog(&self) -> Vec<String> {
        let rows = self.rows.query(CATALOG, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Listens as Platz's API does, and returns what it hears.
    pub(crate) async fn listen(&self, channel: &str) -> Listener {
        let (client, mut connection) =
            tokio_postgres::connect(self.database.direct_url(), NoTls).await.unwrap();
        let (heard, notifications) = unbounded_channel();
        tokio::spawn(async move {
            let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(notification) = message {
                    let _ = heard.send(notification.payload().to_owned());
                }
            }
        });
        client.batch_execute(&format!("LISTEN {channel}")).await.unwrap();
        Listener { client, notifications }
    }
}

/// A session that listens.
pub(crate) struct Listener {
    client: Client,
    notifications: UnboundedReceiver<String>,
}

impl Listener {
    /// Returns what was heard since the last time. The server sends notifications before it
    /// answers the next statement.
    pub(crate) async fn heard(&mut self) -> Vec<Value> {
        self.client.batch_execute("SELECT 1").await.unwrap();
        let mut heard = Vec::new();
        while let Ok(payload) = self.notifications.try_recv() {
            heard.push(serde_json::from_str(&payload).unwrap());
        }
        heard
    }
}
