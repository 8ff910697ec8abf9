CREATE TABLE instance_changes (
    instance text NOT NULL,
    generation bigint NOT NULL,
    repo_name text NOT NULL,
    PRIMARY KEY (instance, generation, repo_name)
);

COMMENT ON TABLE instance_changes IS
    'Which repositories a writer beside the passes changed, such as a rescan, so that the next pass compares them again.';
COMMENT ON COLUMN instance_changes.generation IS 'discovery_instances.generation after the transaction.';
