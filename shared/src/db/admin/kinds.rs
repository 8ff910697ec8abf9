//! Deployment kinds: what users pick.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use utoipa::ToSchema;
use uuid::Uuid;

use super::change::{Change, Changeable, Changing};
use super::list::part;
use super::list::{Listed, PageRequest};
use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// Longest name of a kind, in bytes. The table has the same limit.
pub const KIND_NAME_MAX: usize = 1024;

/// A row of `k8s_deployment_kinds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeploymentKind {
    /// Never changes.
    pub id: Uuid,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub created_at: Option<OffsetDateTime>,
    /// What it is called. No two have the same name.
    pub name: String,
    /// Name of a FontAwesome icon, set through one of its registries.
    #[schema(required)]
    pub fa_icon: Option<String>,
    /// How many registries feed its picker.
    pub registries: i64,
}

/// Which kinds are wanted. What is `None` does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct KindFilter<'a> {
    /// Part of the name, in any case.
    pub text: Option<&'a str>,
    /// The whole name.
    pub name: Option<&'a str>,
}

macro_rules! select {
    ($from:expr) => {
        concat!(
            "\
SELECT kind.id, kind.created_at, kind.name, kind.fa_icon,
    (SELECT count(*) FROM helm_registries AS registry WHERE registry.kind_id = kind.id) AS \
    registries
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
    /// Kinds, by name.
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
        self.list("list the kinds", (LIST, COUNT), filter, page, DeploymentKind::read).await
    }

    /// A kind, if there is one of this id.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn get_kind(&self, id: Uuid) -> Result<Option<DeploymentKind>, Error> {
        self.get("tell of the kind", GET, &[(&id, Type::UUID)], DeploymentKind::read).await
    }

    /// Renames a kind on behalf of somebody, and gives what it was and what it is; nothing if there
    /// is none of this id. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written; [`Error::is_taken`] when another kind has the name.
    pub async fn rename_kind(
        &self,
        by: &str,
        id: Uuid,
        name: &str,
    ) -> Result<Option<Change<DeploymentKind>>, Error> {
        let parameters: Parameters<'_> = &[(&id, Type::UUID), (&name, Type::TEXT)];
        let changing = Changing {
            what: "rename the kind",
            changeable: Changeable::DeploymentKind,
            lock: LOCK,
            get: GET,
            read: DeploymentKind::read,
            audited: DeploymentKind::audited,
        };
        self.change(by, id, changing, &[(RENAME, parameters)]).await
    }
}

impl DeploymentKind {
    /// What can be changed.
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
