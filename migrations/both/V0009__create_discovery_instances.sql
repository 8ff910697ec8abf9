CREATE TABLE discovery_instances (
    name text PRIMARY KEY,
    provider text,
    source text,
    configuration jsonb,
    function_name text,
    generation bigint NOT NULL DEFAULT 0,
    last_started_at timestamptz,
    last_succeeded_at timestamptz,
    last_event_at timestamptz,
    last_error text,
    last_summary jsonb,
    progress jsonb,
    CONSTRAINT discovery_instances_name_length CHECK (octet_length(name) BETWEEN 1 AND 255)
);

COMMENT ON TABLE discovery_instances IS 'One row per discovery instance: its health as the admin pages show it.';
COMMENT ON COLUMN discovery_instances.source IS 'The registry''s address, or the region.';
COMMENT ON COLUMN discovery_instances.configuration IS
    'What the instance was last invoked with. It names secrets and holds none.';
COMMENT ON COLUMN discovery_instances.function_name IS
    'The Lambda function that was invoked for it. It has the credentials, so it makes the diagnosis.';
COMMENT ON COLUMN discovery_instances.generation IS
    'Rises with every transaction of the instance that changes rows. A restored backup shows as a smaller one.';
COMMENT ON COLUMN discovery_instances.last_event_at IS 'When an event of ECR about a chart was last handled.';
COMMENT ON COLUMN discovery_instances.progress IS 'Where an interrupted backfill resumes.';
