//! What people change by hand, and who: each change is told in `admin_changes`, in the transaction
//! that makes it.

use futures_util::future::try_join_all;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::timeout;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::list::{Listed, PageRequest};
use crate::db::connection::{Parameters, STATEMENT_DEADLINE};
use crate::db::{Database, Error};

/// A row before and after a change. They are equal when there was nothing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// As it was.
    pub before: T,
    /// As it is.
    pub after: T,
}

/// What can be changed by hand.
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
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// By whom.
    pub user_name: String,
    /// What can be changed, as it was; nothing if there was none.
    pub before: Option<Value>,
    /// The same as it was then; nothing if there is none any more.
    pub after: Option<Value>,
}

/// How a row is changed.
pub(super) struct Changing<T> {
    /// Completes "the database did not …".
    pub(super) what: &'static str,
    pub(super) changeable: Changeable,
    /// Keeps others from the row of an id.
    pub(super) lock: &'static str,
    /// Gives the row of an id.
    pub(super) get: &'static str,
    pub(super) read: fn(&Row) -> Result<T, tokio_postgres::Error>,
    /// What of the row is told.
    pub(super) audited: fn(&T) -> Value,
}

const TELL: &str = "\
INSERT INTO admin_changes (user_name, object_type, object_id, before, after) VALUES ($1, $2, $3, \
$4, $5)";

const LIST: &str = "\
SELECT created_at, user_name, before, after
FROM admin_changes
WHERE object_type = $1 AND ($2::uuid IS NULL OR object_id = $2)
ORDER BY id DESC
LIMIT $3 OFFSET $4";

const COUNT: &str = "\
SELECT count(*) FROM admin_changes WHERE object_type = $1 AND ($2::uuid IS NULL OR object_id = $2)";

impl Changeable {
    /// What it is called in the table and in the log.
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
    /// What was changed of an object, or of all objects of a type, the newest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_changes(
        &self,
        changeable: Changeable,
        id: Option<Uuid>,
        page: PageRequest,
    ) -> Result<Listed<AdminChange>, Error> {
        let filter: Parameters<'_> = &[(&changeable.as_str(), Type::TEXT), (&id, Type::UUID)];
        self.list("list the changes", (LIST, COUNT), filter, page, AdminChange::read).await
    }

    /// Runs some statements between two looks at a row, and tells who changed what. Nothing if
    /// there is no such row.
    pub(super) async fn change<T>(
        &self,
        by: &str,
        id: Uuid,
        changing: Changing<T>,
        statements: &[(&str, Parameters<'_>)],
    ) -> Result<Option<Change<T>>, Error> {
        match self.change_once(by, id, &changing, statements).await {
            // A deadlock, or a connection that is found dead.
            Err(error) if error.is_transient() && !error.is_kind_missing() => {
                self.change_once(by, id, &changing, statements).await
            }
            other => other,
        }
    }

    async fn change_once<T>(
        &self,
        by: &str,
        id: Uuid,
        changing: &Changing<T>,
        statements: &[(&str, Parameters<'_>)],
    ) -> Result<Option<Change<T>>, Error> {
        let by_id: Parameters<'_> = &[(&id, Type::UUID)];
        let looks = [
            &[("BEGIN", &[][..]), (changing.lock, by_id), (changing.get, by_id)],
            statements,
            &[(changing.get, by_id)],
        ];
        let turn = self.turn().await?;
        let change = async {
            let client = turn.client();
            let answers = all(client, &looks.concat()).await?;
            let row = |rows: Option<&Vec<Row>>| {
                rows.and_then(|rows| rows.first()).map(changing.read).transpose()
            };
            let (before, after) = (row(answers.get(2))?, row(answers.last())?);
            let (Some(before), Some(after)) = (before, after) else {
                client.batch_execute("COMMIT").await?;
                return Ok(None);
            };
            let (old, new) = ((changing.audited)(&before), (changing.audited)(&after));
            let audited: Parameters<'_> = &[
                (&by, Type::TEXT),
                (&changing.changeable.as_str(), Type::TEXT),
                (&id, Type::UUID),
                (&old, Type::JSONB),
                (&new, Type::JSONB),
            ];
            let tell = [(TELL, audited), ("COMMIT", &[][..])];
            all(client, tell.get(usize::from(old == new)..).unwrap_or_default()).await?;
            Ok(Some(Change { before, after }))
        };
        let work = async {
            let changed = change.await;
            if changed.is_err() {
                // Nobody may go on in this transaction. Without one it is only a warning of the
                // server's.
                turn.client().batch_execute("ROLLBACK").await?;
            }
            changed
        };
        let answer = timeout(STATEMENT_DEADLINE, work).await;
        turn.end(changing.what, STATEMENT_DEADLINE, answer)
    }
}

/// Runs statements that are sent together.
async fn all(
    client: &Client,
    statements: &[(&str, Parameters<'_>)],
) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
    try_join_all(statements.iter().map(|(sql, parameters)| client.query_typed(sql, parameters)))
        .await
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
