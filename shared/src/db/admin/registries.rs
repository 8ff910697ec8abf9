//! Registry rows for the admin pages and the API, and the changes that site admins make to them.

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

/// A row of `helm_registries`, with facts about its kind and its charts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HelmRegistry {
    /// The row's id. It never changes.
    pub id: Uuid,
    /// The time when discovery saw its first chart.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The registry: the host of an ECR registry, or the address of a polled one.
    pub domain_name: String,
    /// The full repository name.
    pub repo_name: String,
    /// The id of the kind whose picker shows its charts.
    pub kind_id: Uuid,
    /// The name of its kind.
    pub kind: String,
    /// The icon of its kind.
    #[schema(required)]
    pub kind_fa_icon: Option<String>,
    /// Always true at present.
    pub available: bool,
    /// The name of a FontAwesome icon.
    pub fa_icon: String,
    /// `Ecr` or `Oci`.
    pub provider: String,
    /// The number of its chart rows, including unavailable ones.
    pub charts: i64,
    /// `created_at` of the newest chart.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_pushed_at: Option<OffsetDateTime>,
}

/// The registries that a list must show. A field that is `None` does not restrict it.
#[derive(Debug, Clone, Default)]
pub struct RegistryFilter<'a> {
    /// A part of the domain name, the repository name or the kind's name, in upper or lower case.
    pub text: Option<&'a str>,
    /// The whole repository name.
    pub repo_name: Option<&'a str>,
    /// `Ecr` or `Oci`.
    pub provider: Option<&'a str>,
    /// The id of the kind.
    pub kind_id: Option<Uuid>,
    /// The name of the kind.
    pub kind: Option<&'a str>,
}

/// The new values of a registry. A field that is `None` stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegistryChange<'a> {
    /// The name of an icon.
    pub fa_icon: Option<&'a str>,
    /// The id of a kind.
    pub kind_id: Option<Uuid>,
}

/// Counts charts and finds the newest one in an index.
macro_rules! select {
    ($from:expr) => {
        concat!(
            "\
SELECT registry.id, registry.created_at, registry.domain_name, registry.repo_name,
    registry.kind_id, kind.name AS kind, icon.fa_icon AS kind_fa_icon, registry.available,
    registry.fa_icon, registry.provider, content.charts, content.last_pushed_at
FROM ",
            $from,
            " AS registry
JOIN k8s_deployment_kinds AS kind ON kind.id = registry.kind_id
LEFT JOIN deployment_kind_icons AS icon ON icon.kind_id = registry.kind_id
CROSS JOIN LATERAL (
    SELECT count(*) AS charts,
        CASE
            WHEN count(*) > 0
                THEN greatest(least(max(chart.created_at), '9999-12-31'), '0001-01-01')
        END AS last_pushed_at
    FROM helm_charts AS chart
    WHERE chart.helm_registry_id = registry.id
) AS content"
        )
    };
}

macro_rules! wanted {
    () => {
        "\
FROM helm_registries AS registry
JOIN k8s_deployment_kinds AS kind ON kind.id = registry.kind_id
WHERE (
        $1::text IS NULL
        OR registry.domain_name ILIKE $1
        OR registry.repo_name ILIKE $1
        OR kind.name ILIKE $1
    )
    AND ($2::text IS NULL OR registry.repo_name = $2)
    AND ($3::text IS NULL OR registry.provider = $3)
    AND ($4::uuid IS NULL OR registry.kind_id = $4)
    AND ($5::text IS NULL OR kind.name = $5)"
    };
}

const LIST: &str = concat!(
    select!(concat!(
        "(\nSELECT registry.*\n",
        wanted!(),
        "\nORDER BY registry.created_at DESC, registry.id\nLIMIT $6 OFFSET $7\n)"
    )),
    "\nORDER BY registry.created_at DESC, registry.id"
);

const COUNT: &str = concat!("SELECT count(*) ", wanted!());

const GET: &str = concat!(select!("helm_registries"), "\nWHERE registry.id = $1");

const LOCK: &str = "SELECT FROM helm_registries WHERE id = $1 FOR NO KEY UPDATE";

const CHANGE: &str = "\
UPDATE helm_registries
SET fa_icon = coalesce($2, fa_icon), kind_id = coalesce($3, kind_id)
WHERE id = $1
    AND (fa_icon, kind_id) IS DISTINCT FROM (coalesce($2, fa_icon), coalesce($3, kind_id))";

/// Gives the kind the registry's new icon. A kind without an icon also gets the icon of a registry
/// that joins it. The audit records this as a change of the kind.
const PROPAGATE_ICON_WITH_AUDIT: &str = "\
WITH old AS (
    SELECT registry.kind_id, icon.fa_icon AS kind_fa_icon, registry.fa_icon
    FROM helm_registries AS registry
    LEFT JOIN deployment_kind_icons AS icon ON icon.kind_id = registry.kind_id
    WHERE registry.id = $1
), changed AS (
    INSERT INTO deployment_kind_icons AS icon (kind_id, fa_icon)
    SELECT old.kind_id, old.fa_icon
    FROM old
    WHERE old.kind_fa_icon IS DISTINCT FROM old.fa_icon
        AND (
            $2::text IS NOT NULL
            OR (
                $3::uuid IS NOT NULL
                AND old.kind_fa_icon IS NULL
                AND old.fa_icon <> 'question'
            )
        )
    ON CONFLICT (kind_id) DO UPDATE
    SET fa_icon = excluded.fa_icon
    RETURNING icon.kind_id
)
INSERT INTO admin_changes (user_name, object_type, object_id, before, after)
SELECT $4, 'deployment_kind', old.kind_id,
    jsonb_build_object('fa_icon', old.kind_fa_icon), jsonb_build_object('fa_icon', old.fa_icon)
FROM changed
JOIN old ON old.kind_id = changed.kind_id";

impl Database {
    /// Lists registries, the newest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_registries(
        &self,
        filter: &RegistryFilter<'_>,
        page: PageRequest,
    ) -> Result<Listed<HelmRegistry>, Error> {
        let text = filter.text.filter(|text| !text.is_empty()).map(part);
        let filter: Parameters<'_> = &[
            (&text, Type::TEXT),
            (&filter.repo_name, Type::TEXT),
            (&filter.provider, Type::TEXT),
            (&filter.kind_id, Type::UUID),
            (&filter.kind, Type::TEXT),
        ];
        let query = ListQuery {
            what: "list the registries",
            select: LIST,
            count: COUNT,
            read: HelmRegistry::read,
        };
        self.list(query, filter, page).await
    }

    /// Returns the registry with an id.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn get_registry(&self, id: Uuid) -> Result<Option<HelmRegistry>, Error> {
        self.get("read the registry", GET, &[(&id, Type::UUID)], HelmRegistry::read).await
    }

    /// Changes a registry, and records the user. Returns the registry before and after; `None` if
    /// there is no registry with this id. A new icon also becomes the icon of the registry's kind.
    /// Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written; [`Error::is_kind_missing`] if there is no such kind.
    pub async fn change_registry(
        &self,
        by: &str,
        id: Uuid,
        change: RegistryChange<'_>,
    ) -> Result<Option<Change<HelmRegistry>>, Error> {
        let parameters: Parameters<'_> = &[
            (&id, Type::UUID),
            (&change.fa_icon, Type::TEXT),
            (&change.kind_id, Type::UUID),
            (&by, Type::TEXT),
        ];
        let statements = [(CHANGE, parameters), (PROPAGATE_ICON_WITH_AUDIT, parameters)];
        let row = AuditedRow {
            what: "change the registry",
            changeable: Changeable::HelmRegistry,
            lock: LOCK,
            select: GET,
            read: HelmRegistry::read,
            audited: HelmRegistry::audited,
        };
        self.change(by, id, row, &statements).await
    }
}

impl HelmRegistry {
    /// Returns the fields that the audit records.
    #[must_use]
    pub fn audited(&self) -> Value {
        json!({"fa_icon": self.fa_icon, "kind": self.kind, "kind_fa_icon": self.kind_fa_icon})
    }

    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            created_at: row.try_get("created_at")?,
            domain_name: row.try_get("domain_name")?,
            repo_name: row.try_get("repo_name")?,
            kind_id: row.try_get("kind_id")?,
            kind: row.try_get("kind")?,
            kind_fa_icon: row.try_get("kind_fa_icon")?,
            available: row.try_get("available")?,
            fa_icon: row.try_get("fa_icon")?,
            provider: row.try_get("provider")?,
            charts: row.try_get("charts")?,
            last_pushed_at: row.try_get("last_pushed_at")?,
        })
    }
}
