ALTER TABLE discovery_instances ADD COLUMN former_domains text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN discovery_instances.former_domains IS
    'Names that the rows of the instance gave its registry before its address or oci.domain changed.';
