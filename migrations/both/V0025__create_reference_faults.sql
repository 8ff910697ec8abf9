CREATE TABLE reference_faults (
    instance text NOT NULL,
    registry_host text NOT NULL,
    repo_name text NOT NULL,
    reference text NOT NULL,
    kind text NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (instance, registry_host, repo_name, reference),
    CONSTRAINT reference_faults_kind_known CHECK (kind IN ('failed', 'skipped')),
    CONSTRAINT reference_faults_error_length CHECK (octet_length(error) <= 2048),
    CONSTRAINT reference_faults_attempts_positive CHECK (attempts > 0)
);

COMMENT ON TABLE reference_faults IS
    'References that an instance could not look at, and when it tries each again. A look that succeeds deletes the row.';
COMMENT ON COLUMN reference_faults.reference IS 'The tag. Empty if the instance could not visit the repository, because it fails or hangs.';
COMMENT ON COLUMN reference_faults.kind IS 'failed: the look failed; skipped: the artifact is past a limit.';
COMMENT ON COLUMN reference_faults.error IS 'The last error.';
COMMENT ON COLUMN reference_faults.next_at IS 'Before this time no pass looks at the reference.';
