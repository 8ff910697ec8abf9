ALTER TABLE discovery_instances ADD COLUMN last_hint_at timestamptz;

COMMENT ON COLUMN discovery_instances.last_hint_at IS
    'When a hint of a webhook last came, to the minute.';
