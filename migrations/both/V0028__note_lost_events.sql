ALTER TABLE discovery_instances
    ADD COLUMN events_lost_at timestamptz,
    ADD COLUMN repair_asked_at timestamptz;

COMMENT ON COLUMN discovery_instances.events_lost_at IS
    'When a sign was last seen that events of ECR may be lost. A repair that began earlier does not cover them.';
COMMENT ON COLUMN discovery_instances.repair_asked_at IS
    'When the schedule last asked for a repair. A gap means that the function or the database was away.';
