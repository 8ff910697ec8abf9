CREATE TABLE observations (
    registry_host text NOT NULL,
    repo_name text NOT NULL,
    reference text NOT NULL,
    digest text,
    observed_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    missing_since timestamptz,
    PRIMARY KEY (registry_host, repo_name, reference),
    CONSTRAINT observations_registry_host_length CHECK (octet_length(registry_host) BETWEEN 1 AND 512),
    CONSTRAINT observations_repo_name_length CHECK (octet_length(repo_name) BETWEEN 1 AND 255),
    CONSTRAINT observations_reference_length CHECK (octet_length(reference) BETWEEN 1 AND 160)
);

COMMENT ON TABLE observations IS
    'What each reference was last seen to resolve to, chart or not: the guard that makes stale observations lose.';
COMMENT ON COLUMN observations.reference IS
    'A tag; or a digest that an event called deleted: a tag that had it before that look must be looked at again.';
COMMENT ON COLUMN observations.digest IS 'What the reference resolved to; NULL: it was absent.';
COMMENT ON COLUMN observations.observed_at IS
    'This database''s clock, read before the registry was asked. An observation older than the stored one loses.';
COMMENT ON COLUMN observations.changed_at IS
    'observed_at of the observation that first saw this digest. Equal to observed_at: the last one changed something.';
COMMENT ON COLUMN observations.missing_since IS
    'Since when the reference has been missing from listings that were not believed.';
