//! Platz's deployments, as far as a change of a kind or a registry concerns them.

use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db::{Database, Error, Layout};

/// Deployments that a change concerns. In our own database there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AffectedDeployments {
    /// The number of them.
    pub total: i64,
    /// The names of the first five, sorted.
    pub names: Vec<String>,
}

macro_rules! select {
    ($from:literal) => {
        concat!(
            "\
SELECT count(*), coalesce((array_agg(name ORDER BY name))[:5], '{}')
FROM ",
            $from,
            "($1) AS deployment"
        )
    };
}

const OF_KIND: &str = select!("deployments_of_kind");

const OF_REGISTRY: &str = select!("deployments_of_registry");

const SCHEMA: &str = "\
SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'helm_charts'::regclass";

impl Database {
    /// Returns the deployments of a kind, whose namespaces begin with its name.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn deployments_of_kind(&self, id: Uuid) -> Result<AffectedDeployments, Error> {
        self.affected_deployments(OF_KIND, id).await
    }

    /// Returns the deployments of a registry's charts.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn deployments_of_registry(&self, id: Uuid) -> Result<AffectedDeployments, Error> {
        self.affected_deployments(OF_REGISTRY, id).await
    }

    /// Returns the schema of the tables if they are Platz's.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn schema_of_platz(&self) -> Result<Option<String>, Error> {
        match self.layout().await? {
            Layout::Own => Ok(None),
            Layout::Platz => {
                self.get("name the schema of the tables", SCHEMA, &[], |row| row.try_get(0)).await
            }
        }
    }

    async fn affected_deployments(
        &self,
        sql: &str,
        id: Uuid,
    ) -> Result<AffectedDeployments, Error> {
        let what = "name the deployments that a change concerns";
        let found = self.get(what, sql, &[(&id, Type::UUID)], AffectedDeployments::read).await?;
        found.ok_or(Error::NoRow { what })
    }
}

impl AffectedDeployments {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self { total: row.try_get(0)?, names: row.try_get(1)? })
    }
}
