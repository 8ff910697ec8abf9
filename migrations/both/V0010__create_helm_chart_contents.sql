CREATE TABLE helm_chart_contents (
    digest text PRIMARY KEY,
    chart_name text,
    chart_version text,
    app_version text,
    description text,
    git_commit text,
    git_branch text,
    git_repo text,
    values_ui jsonb,
    actions_schema jsonb,
    features jsonb,
    resource_types jsonb,
    error text,
    CONSTRAINT helm_chart_contents_digest_length CHECK (octet_length(digest) BETWEEN 1 AND 160),
    CONSTRAINT helm_chart_contents_error_length CHECK (octet_length(error) <= 2048)
);

COMMENT ON TABLE helm_chart_contents IS
    'What is in a chart, by the digest of its manifest: it follows from the digest alone, whatever tags and registries have it.';
COMMENT ON COLUMN helm_chart_contents.chart_name IS 'From Chart.yaml, as are chart_version, app_version and description.';
COMMENT ON COLUMN helm_chart_contents.git_commit IS
    'Annotation platz.io/git/commit; git_branch and git_repo are platz.io/git/branch and platz.io/git/repo.';
COMMENT ON COLUMN helm_chart_contents.error IS 'Why the chart itself is unusable: helm_charts.error of every row of the digest.';
