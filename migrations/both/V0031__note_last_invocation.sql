ALTER TABLE discovery_instances ADD COLUMN last_invoked_at timestamptz NOT NULL DEFAULT clock_timestamp();

COMMENT ON COLUMN discovery_instances.last_invoked_at IS
    'When an invocation for the instance last began, at most an hour too early. last_started_at is written at the end.';
