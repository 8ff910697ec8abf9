CREATE TABLE dismissed_charts (
    registry_host text NOT NULL,
    repo_name text NOT NULL,
    reference text NOT NULL,
    digest text NOT NULL,
    dismissed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (registry_host, repo_name, reference, digest)
);

COMMENT ON TABLE dismissed_charts IS
    'Charts whose row a person deleted, found when their tag changed. Only a rescan adds such a row again. Never pruned.';
COMMENT ON COLUMN dismissed_charts.reference IS 'The tag.';
COMMENT ON COLUMN dismissed_charts.digest IS 'What the tag resolved to when its row was deleted.';
