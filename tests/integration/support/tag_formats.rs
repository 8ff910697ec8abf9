//! Tag formats, and chart rows whose tags they parse.

use tokio_postgres::Client;

pub(crate) const SEMVER: &str = r"^v?(?P<version>\d+\.\d+\.\d+)$";
pub(crate) const BUILD: &str = r"^(?P<branch>[a-z]+)-(?<revision>\d+)-(?<commit>[0-9a-f]{7})$";

pub(crate) async fn add_format(rows: &Client, pattern: &str) {
    rows.execute("INSERT INTO helm_tag_formats (pattern) VALUES ($1)", &[&pattern]).await.unwrap();
}

/// Inserts chart rows with these tags, as a writer does that does not parse tags.
pub(crate) async fn insert_charts(rows: &Client, tags: &str) {
    let sql = format!(
        "INSERT INTO k8s_deployment_kinds (name) VALUES ('api') ON CONFLICT DO NOTHING;
        INSERT INTO helm_registries (domain_name, repo_name, kind_id, provider)
        SELECT 'https://ghcr.io', 'team/api', id, 'Oci' FROM k8s_deployment_kinds WHERE name = 'api'
        ON CONFLICT DO NOTHING;
        INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag)
        SELECT now(), registry.id, 'sha256:' || md5(tag) || md5(tag), tag
        FROM helm_registries AS registry, ({tags}) AS tags (tag);
        INSERT INTO helm_chart_contents (digest, chart_name, chart_version, git_branch)
        SELECT image_digest, 'api', '0.1.0+x', 'trunk' FROM helm_charts ON CONFLICT DO NOTHING"
    );
    rows.batch_execute(&sql).await.unwrap();
}
