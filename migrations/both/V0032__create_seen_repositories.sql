CREATE TABLE seen_repositories (
    registry_host text NOT NULL,
    repo_name text NOT NULL,
    instance text NOT NULL,
    lost_at timestamptz,
    PRIMARY KEY (registry_host, repo_name, instance)
);

COMMENT ON TABLE seen_repositories IS
    'Which repositories an instance has listed, while other instances watch the same registry: only an instance that has seen a repository may conclude that it is gone.';
COMMENT ON COLUMN seen_repositories.lost_at IS 'When the registry no longer showed the repository to the instance; NULL: it does.';

ALTER TABLE discovery_instances ADD COLUMN has_seen_all boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN discovery_instances.has_seen_all IS
    'Whether seen_repositories has every repository that the registry shows to the instance.';
