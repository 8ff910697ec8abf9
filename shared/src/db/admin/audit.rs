//! Changes that site admins make to rows. The table `admin_changes` is their audit: the transaction
//! that makes a change also writes its row there.
//!
//! Two other places write audit rows too, each in the statement that makes the change:
//! `PROPAGATE_ICON_WITH_AUDIT` in `registries.rs`, and `ADD` and `DELETE` in `tag_formats.rs`.

use futures_util::future::try_join_all;
use futures_util::try_join;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::timeout;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::list::{ListQuery, Listed, PageRequest};
use crate::db::connection::{Parameters, STATEMENT_DEADLINE, Statement};
use crate::db::{Database, Error};

/// A row before and after a change. Both are equal if the change changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// The row as it was.
    pub before: T,
    /// The row as it is now.
    pub after: T,
}

/// The types of rows that site admins can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changeable {
    /// A row of `helm_registries`.
    HelmRegistry,
    /// A row of `k8s_deployment_kinds`.
    DeploymentKind,
    /// A row of `helm_tag_formats`.
    HelmTagFormat,
}

/// A row of `admin_changes`.
#[derive(Debug, Clone, PartialEq)]
pub struct AdminChange {
    /// The time of the change.
    pub created_at: OffsetDateTime,
    /// The user who made it.
    pub user_name: String,
    /// The audited fields before the change; `None` if the row was added.
    pub before: Option<Value>,
    /// The audited fields after the change; `None` if the row was deleted.
    pub after: Option<Value>,
}

/// A row that site admins can change, and its statements.
pub(super) struct AuditedRow<T> {
    /// Completes "the database did not …".
    pub(super) what: &'static str,
    pub(super) changeable: Changeable,
    /// Locks the row of an id, so that no other transaction changes it.
    pub(super) lock: &'static str,
    /// Selects the row of an id.
    pub(super) select: &'static str,
    pub(super) read: fn(&Row) -> Result<T, tokio_postgres::Error>,
    /// Returns the fields that the audit records.
    pub(super) audited: fn(&T) -> Value,
}

const INSERT_AUDIT: &str = "\
INSERT INTO admin_changes (user_name, object_type, object_id, before, after)
VALUES ($1, $2, $3, $4, $5)";

const LIST: &str = "\
SELECT created_at, user_name, before, after
FROM admin_changes
WHERE object_type = $1 AND ($2::uuid IS NULL OR object_id = $2)
ORDER BY id DESC
LIMIT $3 OFFSET $4";

const COUNT: &str = "\
SELECT count(*) FROM admin_changes WHERE object_type = $1 AND ($2::uuid IS NULL OR object_id = $2)";

impl Changeable {
    /// Returns its name in the table and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HelmRegistry => "helm_registry",
            Self::DeploymentKind => "deployment_kind",
            Self::HelmTagFormat => "helm_tag_format",
        }
    }
}

impl Database {
    /// Lists the changes of one object, or of all objects of a type, the newest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_changes(
        &self,
        changeable: Changeable,
        id: Option<Uuid>,
        page: PageRequest,
    ) -> Result<Listed<AdminChange>, Error> {
        let query = ListQuery {
            what: "list the changes",
            select: LIST,
            count: COUNT,
            read: AdminChange::read,
        };
        let filter: Parameters<'_> = &[(&changeable.as_str(), Type::TEXT), (&id, Type::UUID)];
        self.list(query, filter, page).await
    }

    /// Runs statements that change the row of an id, and records who changed what. Returns `None`
    /// if there is no such row.
    pub(super) async fn change<T>(
        &self,
        by: &str,
        id: Uuid,
        row: AuditedRow<T>,
        statements: &[Statement<'_>],
    ) -> Result<Option<Change<T>>, Error> {
        match self.change_once(by, id, &row, statements).await {
            // A deadlock or a dead connection may pass, but a missing kind stays missing.
            Err(error) if error.is_transient() && !error.is_kind_missing() => {
                self.change_once(by, id, &row, statements).await
            }
            other => other,
        }
    }

    async fn change_once<T>(
        &self,
        by: &str,
        id: Uuid,
        row: &AuditedRow<T>,
        statements: &[Statement<'_>],
    ) -> Result<Option<Change<T>>, Error> {
        let connection = self.take_connection().await?;
        let client = connection.client();
        let work = async {
            let changed = change_in_transaction(client, by, id, row, statements).await;
            if changed.is_err() {
                // The connection is used again, so the transaction must end. If COMMIT ended it
                // already, the server only warns.
                client.batch_execute("ROLLBACK").await?;
            }
            changed
        };
        let answer = timeout(STATEMENT_DEADLINE, work).await;
        connection.give_back(row.what, STATEMENT_DEADLINE, answer)
    }
}

async fn change_in_transaction<T>(
    client: &Client,
    by: &str,
    id: Uuid,
    row: &AuditedRow<T>,
    statements: &[Statement<'_>],
) -> Result<Option<Change<T>>, tokio_postgres::Error> {
    let by_id: Parameters<'_> = &[(&id, Type::UUID)];
    // `try_join!` polls in this order, so that all statements are sent in this order before the
    // first answer is awaited.
    let ((), _, before, (), after) = try_join!(
        client.batch_execute("BEGIN"),
        client.query_typed(row.lock, by_id),
        client.query_typed(row.select, by_id),
        run_all(client, statements),
        client.query_typed(row.select, by_id),
    )?;
    let before = before.first().map(row.read).transpose()?;
    let after = after.first().map(row.read).transpose()?;
    let (Some(before), Some(after)) = (before, after) else {
        client.batch_execute("COMMIT").await?;
        return Ok(None);
    };
    let (old, new) = ((row.audited)(&before), (row.audited)(&after));
    if old == new {
        client.batch_execute("COMMIT").await?;
    } else {
        let audit: Parameters<'_> = &[
            (&by, Type::TEXT),
            (&row.changeable.as_str(), Type::TEXT),
            (&id, Type::UUID),
            (&old, Type::JSONB),
            (&new, Type::JSONB),
        ];
        try_join!(client.query_typed(INSERT_AUDIT, audit), client.batch_execute("COMMIT"))?;
    }
    Ok(Some(Change { before, after }))
}

/// Sends statements together, and waits for all of them.
async fn run_all(
    client: &Client,
    statements: &[Statement<'_>],
) -> Result<(), tokio_postgres::Error> {
    let sent = statements.iter().map(|(sql, parameters)| client.query_typed(sql, parameters));
    try_join_all(sent).await.map(drop)
}

impl AdminChange {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            created_at: row.try_get("created_at")?,
            user_name: row.try_get("user_name")?,
            before: row.try_get("before")?,
            after: row.try_get("after")?,
        })
    }
}
