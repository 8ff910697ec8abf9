CREATE TABLE admin_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    user_name text NOT NULL,
    object_type text NOT NULL,
    object_id uuid NOT NULL,
    before jsonb,
    after jsonb,
    CONSTRAINT admin_changes_object_type_known
        CHECK (object_type IN ('helm_registry', 'deployment_kind', 'helm_tag_format')),
    CONSTRAINT admin_changes_user_name_length CHECK (octet_length(user_name) BETWEEN 1 AND 2048)
);

-- The changes of an object, and those of all objects of a type, newest first.
CREATE INDEX admin_changes_object_idx ON admin_changes (object_type, object_id, id DESC);
CREATE INDEX admin_changes_type_idx ON admin_changes (object_type, id DESC);

COMMENT ON TABLE admin_changes IS
    'Who changed what through the admin pages and their API. Written in the transaction of the change, never changed later.';
COMMENT ON COLUMN admin_changes.object_id IS 'The row''s id. The row may be gone.';
COMMENT ON COLUMN admin_changes.before IS 'The editable fields before the change; NULL: created.';
COMMENT ON COLUMN admin_changes.after IS 'The editable fields after the change; NULL: deleted.';
