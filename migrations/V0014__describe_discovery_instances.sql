ALTER TABLE discovery_instances
    ADD COLUMN configuration jsonb,
    ADD COLUMN function_name text,
    ADD COLUMN last_event_at timestamptz;

COMMENT ON COLUMN discovery_instances.configuration IS
    'What the instance was last invoked with. It names secrets and holds none.';
COMMENT ON COLUMN discovery_instances.function_name IS
    'The Lambda function that was invoked for it, which has its credentials: who is asked for a diagnosis.';
COMMENT ON COLUMN discovery_instances.last_event_at IS 'When an event of ECR about a chart was last handled.';
