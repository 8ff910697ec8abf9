//! Platz at work before an adoption: a registry, and the rows that Platz's chart-discovery made of
//! what is in it.

use serde_json::Value;
use shared::domain::Digest;
use tests::chart::Archive;

use super::platz::{Listener, PlatzDatabase};
use super::stack::{Stack, count};

/// Two tag formats and an environment.
const SEEDED: &str = r"
INSERT INTO helm_tag_formats (created_at, pattern) VALUES
('2025-01-01', '^(?P<version>\d+\.\d+\.\d+)$'),
('2025-01-02', '^(?P<version>\d+\.\d+\.\d+)-(?P<branch>[a-z]+)\.(?P<commit>[0-9a-f]{7})$');
INSERT INTO envs (name) VALUES ('production')";

/// As Platz fills it for a chart that could be read and has no annotations.
const CHART: &str = "\
INSERT INTO helm_charts
    (created_at, helm_registry_id, image_digest, image_tag, error, tag_format_id, parsed_version,
    parsed_revision, parsed_branch, parsed_commit)
SELECT clock_timestamp() - interval '30 days', registry.id, $2::text, $3::text, $4::text, format.id,
    $3::text, CASE WHEN $4::text IS NOT NULL THEN '' END, '', ''
FROM helm_registries AS registry
LEFT JOIN helm_tag_formats AS format
    ON $3::text ~ '^\\d+\\.\\d+\\.\\d+$' AND format.pattern LIKE '%+)$'
WHERE registry.repo_name = $1::text
RETURNING id::text";

/// How Platz reads its tables: diesel names every column.
pub(crate) const TABLES_AS_DIESEL_READS_THEM: [&str; 9] = [
    "SELECT id, created_at, name FROM deployment_kinds",
    "SELECT id, created_at, domain_name, repo_name, kind_id, available, fa_icon, provider
    FROM helm_registries",
    "SELECT id, created_at, pattern FROM helm_tag_formats",
    "SELECT id, created_at, helm_registry_id, image_digest, image_tag, available, values_ui,
        actions_schema, features, resource_types, error, tag_format_id, parsed_version,
        parsed_revision, parsed_branch, parsed_commit
    FROM helm_charts",
    "SELECT id, created_at, name FROM envs",
    "SELECT id, created_at, name, kind_id, env_id, enabled, helm_chart_id, config FROM deployments",
    "SELECT id, created_at, deployment_id, operation FROM deployment_tasks",
    "SELECT id, created_at, env_id, kind_id, role FROM deployment_permissions",
    "SELECT id, created_at, deployment_kind_id, key, spec FROM deployment_resource_types",
];

/// The tags that Platz's UI offers as upgrades of each deployment: charts of the same kind and
/// branch, available, not BROKEN, and of a newer version.
pub(crate) const UPGRADES: &str = "\
SELECT deployment.name || ' ' || newer.image_tag
FROM deployments AS deployment
JOIN helm_charts AS current ON current.id = deployment.helm_chart_id
JOIN helm_registries AS registry ON registry.kind_id = deployment.kind_id AND registry.available
JOIN helm_charts AS newer ON newer.helm_registry_id = registry.id
WHERE newer.available
    AND newer.error IS NULL
    AND newer.parsed_branch IS NOT DISTINCT FROM current.parsed_branch
    AND string_to_array(substring(newer.parsed_version FROM '^\\d+\\.\\d+\\.\\d+$'), '.')::integer[]
        > string_to_array(current.parsed_version, '.')::integer[]
ORDER BY deployment.name, newer.parsed_version";

/// Chart ids in deployments and in the JSON of tasks that no chart row has.
const UNRESOLVED: &str = "\
SELECT count(*)
FROM (
    SELECT helm_chart_id::text AS id FROM deployments
    UNION ALL
    SELECT jsonb_path_query(operation, '$.*.helm_chart_id')->>0 FROM deployment_tasks
    UNION ALL
    SELECT jsonb_path_query(operation, '$.*.prev_helm_chart_id')->>0 FROM deployment_tasks
) AS used (id)
WHERE NOT EXISTS (SELECT FROM helm_charts AS chart WHERE chart.id = used.id::uuid)";

/// A database of Platz's, and a registry that it followed.
pub(crate) struct PlatzSite {
    pub(crate) platz: PlatzDatabase,
    pub(crate) stack: Stack,
}

impl PlatzSite {
    /// Starts the parts. Platz knows two tag formats and no chart.
    pub(crate) async fn new() -> Self {
        let platz = PlatzDatabase::without_rows().await;
        platz.rows.batch_execute(SEEDED).await.unwrap();
        let stack = Stack::on(platz.database.clone()).await;
        Self { platz, stack }
    }

    /// Adds the registry row of a repository with its kind.
    pub(crate) async fn repository(&self, name: &str, kind: &str) {
        self.repository_at(self.stack.registry.host(), name, kind, "Oci").await;
    }

    /// Adds the registry row of a repository at a host.
    pub(crate) async fn repository_at(&self, host: &str, name: &str, kind: &str, provider: &str) {
        let sql = "\
            WITH made AS (
                INSERT INTO deployment_kinds (name)
                SELECT $3::text
                WHERE NOT EXISTS (SELECT FROM deployment_kinds WHERE name = $3::text)
                RETURNING id
            ), kind AS (
                SELECT id FROM made
                UNION ALL SELECT id FROM deployment_kinds WHERE name = $3::text
            )
            INSERT INTO helm_registries (domain_name, repo_name, kind_id, provider)
            SELECT $1::text, $2::text, id, $4::text FROM kind";
        self.platz.rows.execute(sql, &[&host, &name, &kind, &provider]).await.unwrap();
    }

    /// Pushes a chart whose Chart.yaml has the tag as its version.
    pub(crate) async fn push(&self, repository: &str, tag: &str, content: &str) -> Digest {
        let layer = layer(tag, content);
        self.stack.pusher.push_archive(repository, tag, &layer).await.unwrap()
    }

    /// Adds a chart row, and returns its id.
    pub(crate) async fn chart(&self, repository: &str, tag: &str, digest: &str) -> String {
        self.insert(repository, tag, digest, None).await
    }

    /// Adds the row of a chart that chart-discovery could not read, and returns its id.
    pub(crate) async fn broken(
        &self,
        repository: &str,
        tag: &str,
        digest: &str,
        error: &str,
    ) -> String {
        self.insert(repository, tag, digest, Some(error)).await
    }

    async fn insert(
        &self,
        repository: &str,
        tag: &str,
        digest: &str,
        error: Option<&str>,
    ) -> String {
        let parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[&repository, &digest, &tag, &error];
        self.platz.rows.query_one(CHART, parameters).await.unwrap().get(0)
    }

    /// Pushes a chart and adds its row. Returns the row's id and the digest.
    pub(crate) async fn discovered(&self, repository: &str, tag: &str) -> (String, Digest) {
        let digest = self.push(repository, tag, tag).await;
        (self.chart(repository, tag, digest.as_str()).await, digest)
    }

    /// Adds a deployment of a chart, and the task that installed it.
    pub(crate) async fn deploy(&self, name: &str, chart: &str) {
        let sql = format!(
            "INSERT INTO deployments (name, kind_id, env_id, helm_chart_id)
            SELECT '{name}', registry.kind_id, env.id, chart.id
            FROM envs AS env, helm_charts AS chart
            JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
            WHERE chart.id = '{chart}';
            INSERT INTO deployment_tasks (deployment_id, operation)
            SELECT id, jsonb_build_object('Install', jsonb_build_object('helm_chart_id', '{chart}'))
            FROM deployments WHERE name = '{name}'"
        );
        self.platz.rows.batch_execute(&sql).await.unwrap();
    }

    /// Adopts the database, and returns a session that listens as Platz's API does.
    pub(crate) async fn adopt(&self) -> Listener {
        self.platz.adopt().await;
        self.platz.listen("db_notifications").await
    }

    /// Polls the registry once in a new process, with the tag parser on.
    pub(crate) async fn poll(&self) -> Value {
        let function = self.stack.oci_poll_with(&[("ENABLE_TAG_PARSER", "true")]).await;
        let summary = function.invoke(&self.stack.instance()).await.unwrap();
        assert_eq!(summary["complete"], true, "{summary}");
        summary
    }

    /// Returns the ids of the available rows of a tag.
    pub(crate) async fn available(&self, tag: &str) -> Vec<String> {
        let sql = "SELECT id::text FROM helm_charts WHERE image_tag = $1 AND available ORDER BY id";
        texts(&self.platz.rows.query(sql, &[&tag]).await.unwrap())
    }

    /// Returns the upgrades that Platz's UI offers, each as `deployment tag`.
    pub(crate) async fn upgrades(&self) -> Vec<String> {
        texts(&self.platz.rows.query(UPGRADES, &[]).await.unwrap())
    }

    /// Checks that every chart that a deployment or a task names is there.
    pub(crate) async fn assert_charts_resolve(&self) {
        assert_eq!(count(&self.platz.rows, UNRESOLVED).await, 0);
    }
}

/// Returns the layer of a chart with this version. Another `content` gives another digest.
pub(crate) fn layer(version: &str, content: &str) -> Vec<u8> {
    let chart =
        format!("apiVersion: v2\nname: chart\nversion: {version}\ndescription: {content}\n");
    Archive::new().file("chart/Chart.yaml", chart).pack()
}

/// Returns the operations and tables of notifications, each as `OPERATION table`. Checks that Platz
/// knows each table, because its API exits otherwise.
pub(crate) fn changes(heard: &[Value]) -> Vec<String> {
    let known = [
        "deployment_kinds",
        "helm_registries",
        "helm_tag_formats",
        "helm_charts",
        "deployments",
        "deployment_tasks",
    ];
    let change = |notification: &Value| {
        let table = notification["table"].as_str().unwrap();
        assert!(known.contains(&table), "Platz does not know {table}: {notification}");
        format!("{} {table}", notification["operation"].as_str().unwrap())
    };
    heard.iter().map(change).collect()
}

fn texts(rows: &[tokio_postgres::Row]) -> Vec<String> {
    rows.iter().map(|row| row.get(0)).collect()
}

/// Returns tag, id and version of each chart row. The version changes with every write.
pub(crate) async fn versions(platz: &PlatzDatabase) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', image_tag, id, xmin, ctid) FROM helm_charts ORDER BY id";
    texts(&platz.rows.query(sql, &[]).await.unwrap())
}
