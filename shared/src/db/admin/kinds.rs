//! Deployment kinds, which users pick in a UI.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit::{AuditedRow, Change, Changeable};
use super::list::{ListQuery, Listed, PageRequest, part};
use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// The longest name of a kind, in bytes. The table has the same limit.
pub const KIND_NAME_MAX: usize = 1024;

/// A row of `k8s_deployment_kinds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeploymentKind {
    /// The row's id. It never changes.
    pub id: Uuid,
    /// The time when the row was made.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub created_at: Option<OffsetDateTime>,
    /// The name. It is unique.
    pub name: String,
    /// The name of a FontAwesome icon. Users set it through one of the kind's registries.
    #[schema(required)]
    pub fa_icon: Option<String>,
    /// The number of registries that feed its picker.
    pub registries: i64,
}

/// The kinds that a list must show. A field that is `None` does not restrict it.
#[derive(Debug, Clone, Copy, Default)]
pub struct KindFilter<'a> {
    /// A part of the name, in upper or lower case.
    pub text: Option<&'a str>,
    /// The whole name.
    pub name: Option<&'a str>,
}

macro_rules! select {
    ($from:expr) => {
        concat!(
            "\
SELECT kind.id, kind.created_at, kind.name,
    (
        SELECT icon.fa_icon FROM deployment_kind_icons AS icon WHERE icon.kind_id = kind.id
    ) AS fa_icon,
    (
        SELECT count(*) FROM helm_registries AS registry WHERE registry.kind_id = kind.id
    ) AS registries
FROM ",
            $from,
            " AS kind"
        )
    };
}

macro_rules! wanted {
    () => {
        "\
FROM k8s_deployment_kinds AS kind
WHERE ($1::text IS NULL OR kind.name ILIKE $1) AND ($2::text IS NULL OR kind.name = $2)"
    };
}

const LIST: &str = concat!(
    select!(concat!(
        "(\nSELECT kind.*\n",
        wanted!(),
        "\nORDER BY lower(kind.name), kind.name\nLIMIT $3 OFFSET $4\n)"
    )),
    "\nORDER BY lower(kind.name), kind.name"
);

const COUNT: &str = concat!("SELECT count(*) ", wanted!());

const GET: &str = concat!(select!("k8s_deployment_kinds"), "\nWHERE kind.id = $1");

const LOCK: &str = "SELECT FROM k8s_deployment_kinds WHERE id = $1 FOR UPDATE";

const RENAME: &str = "UPDATE k8s_deployment_kinds SET name = $2 WHERE id = $1 AND name <> $2";

impl Database {
    /// Lists kinds by name.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_kinds(
        &self,
        filter: KindFilter<'_>,
        page: PageRequest,
    ) -> Result<Listed<DeploymentKind>, Error> {
        let text = filter.text.filter(|text| !text.is_empty()).map(part);
        let filter: Parameters<'_> = &[(&text, Type::TEXT), (&filter.name, Type::TEXT)];
        let query = ListQuery {
            what: "list the kinds",
            select: LIST,
            count: COUNT,
            read: DeploymentKind::read,
        };
        self.list(query, filter, page).await
    }

    /// Returns the kind with an id.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn get_kind(&self, id: Uuid) -> Result<Option<DeploymentKind>, Error> {
        self.get("read the kind", GET, &[(&id, Type::UUID)], DeploymentKind::read).await
    }

    /// Renames a kind, and records the user. Returns the kind before and after; `None` if there is
    /// no kind with this id. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written; [`Error::is_taken`] if another kind has the name.
    pub async fn rename_kind(
        &self,
        by: &str,
        id: Uuid,
        name: &str,
    ) -> Result<Option<Change<DeploymentKind>>, Error> {
        let parameters: Parameters<'_> = &[(&id, Type::UUID), (&name, Type::TEXT)];
        let row = AuditedRow {
            what: "rename the kind",
            changeable: Changeable::DeploymentKind,
            lock: LOCK,
            select: GET,
            read: DeploymentKind::read,
            audited: DeploymentKind::audited,
        };
        self.change(by, id, row, &[(RENAME, parameters)]).await
    }
}

impl DeploymentKind {
    /// Returns the fields that the audit records.
    #[must_use]
    pub fn audited(&self) -> Value {
        json!({"name": self.name})
    }

    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            created_at: row.try_get("created_at")?,
            name: row.try_get("name")?,
            fa_icon: row.try_get("fa_icon")?,
            registries: row.try_get("registries")?,
        })
    }
}
