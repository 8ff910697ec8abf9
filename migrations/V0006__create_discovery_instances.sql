CREATE TABLE discovery_instances (
    name text PRIMARY KEY,
    provider text,
    source text,
    generation bigint NOT NULL DEFAULT 0,
    last_started_at timestamptz,
    last_succeeded_at timestamptz,
    last_error text,
    last_summary jsonb,
    progress jsonb,
    CONSTRAINT discovery_instances_name_length CHECK (octet_length(name) BETWEEN 1 AND 255)
);

COMMENT ON TABLE discovery_instances IS 'One row per discovery instance: its health as the admin pages show it.';
COMMENT ON COLUMN discovery_instances.source IS 'The registry''s address, or the region.';
COMMENT ON COLUMN discovery_instances.generation IS
    'Rises with every transaction of the instance that changes rows: a restored backup shows as a smaller one.';
COMMENT ON COLUMN discovery_instances.progress IS 'Where an interrupted backfill goes on.';
