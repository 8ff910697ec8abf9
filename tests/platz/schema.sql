-- A database as the Platz backend keeps it, as far as discovery touches it: the tables, columns, keys, triggers and
-- notifications that matter here, written from a description of them. One role owns everything, in the schema public.
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TABLE __diesel_schema_migrations (
    version varchar(50) PRIMARY KEY,
    run_on timestamp NOT NULL DEFAULT current_timestamp
);
INSERT INTO __diesel_schema_migrations (version)
VALUES ('20230101000000'), ('20250901000000'), ('20260509120000'), ('20260613184500');

-- Platz's API listens on db_notifications, and exits when a notification names a table that it does not know.
CREATE FUNCTION notify_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    row_data jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM pg_notify('db_notifications', jsonb_build_object(
        'operation', TG_OP, 'table', TG_TABLE_NAME, 'data', jsonb_build_object(TG_ARGV[0], row_data -> TG_ARGV[0])
    )::text);
    RETURN NULL;
END
$$;

CREATE FUNCTION notify_specific_trigger_name() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    row_data jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM pg_notify('db_' || TG_TABLE_NAME || '_notifications', jsonb_build_object(
        'operation', TG_OP, 'data', jsonb_build_object(TG_ARGV[0], row_data -> TG_ARGV[0])
    )::text);
    RETURN NULL;
END
$$;

CREATE TABLE deployment_kinds (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    created_at timestamptz NOT NULL DEFAULT now(),
    name varchar NOT NULL
);
CREATE UNIQUE INDEX deployment_kinds__name ON deployment_kinds (name);

CREATE TABLE helm_registries (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    created_at timestamptz NOT NULL DEFAULT now(),
    domain_name varchar NOT NULL,
    repo_name varchar NOT NULL,
    kind_id uuid NOT NULL REFERENCES deployment_kinds (id),
    available boolean NOT NULL DEFAULT true,
    fa_icon varchar NOT NULL DEFAULT 'question',
    provider varchar NOT NULL DEFAULT 'Ecr',
    UNIQUE (domain_name, repo_name)
);

CREATE TABLE helm_tag_formats (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    created_at timestamptz NOT NULL DEFAULT now(),
    pattern varchar NOT NULL UNIQUE
);

CREATE TABLE helm_charts (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    created_at timestamptz NOT NULL,
    helm_registry_id uuid NOT NULL REFERENCES helm_registries (id) ON DELETE CASCADE,
    image_digest varchar NOT NULL,
    image_tag varchar NOT NULL,
    available boolean NOT NULL DEFAULT true,
    values_ui jsonb,
    actions_schema jsonb,
    features jsonb,
    resource_types jsonb,
    error varchar,
    tag_format_id uuid REFERENCES helm_tag_formats (id),
    parsed_version varchar,
    parsed_revision varchar,
    parsed_branch varchar,
    parsed_commit varchar
);

CREATE TABLE envs (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    created_at timestamptz NOT NULL DEFAULT now(),
    name varchar NOT NULL UNIQUE
);

CREATE TABLE deployments (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    created_at timestamptz NOT NULL DEFAULT now(),
    name varchar NOT NULL,
    kind_id uuid NOT NULL REFERENCES deployment_kinds (id),
    env_id uuid NOT NULL REFERENCES envs (id),
    enabled boolean NOT NULL DEFAULT true,
    helm_chart_id uuid NOT NULL REFERENCES helm_charts (id) ON DELETE CASCADE,
    config jsonb NOT NULL DEFAULT '{}'
);

-- The operation is JSON, and holds chart ids that no foreign key guards.
CREATE TABLE deployment_tasks (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    created_at timestamptz NOT NULL DEFAULT now(),
    deployment_id uuid NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    operation jsonb NOT NULL
);

CREATE TABLE deployment_permissions (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    created_at timestamptz NOT NULL DEFAULT now(),
    env_id uuid NOT NULL REFERENCES envs (id),
    kind_id uuid NOT NULL REFERENCES deployment_kinds (id),
    role varchar NOT NULL
);

CREATE TABLE deployment_resource_types (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    created_at timestamptz NOT NULL DEFAULT now(),
    deployment_kind_id uuid NOT NULL REFERENCES deployment_kinds (id),
    key varchar NOT NULL,
    spec jsonb NOT NULL DEFAULT '{}'
);

CREATE TRIGGER notify_changes AFTER INSERT OR UPDATE OR DELETE ON deployment_kinds
FOR EACH ROW EXECUTE FUNCTION notify_trigger('id');
CREATE TRIGGER helm_registries_notify AFTER INSERT OR UPDATE OR DELETE ON helm_registries
FOR EACH ROW EXECUTE FUNCTION notify_trigger('id');
CREATE TRIGGER notify_changes AFTER INSERT OR UPDATE OR DELETE ON helm_tag_formats
FOR EACH ROW EXECUTE FUNCTION notify_trigger('id');
CREATE TRIGGER notify_helm_tag_formats_changes AFTER INSERT OR UPDATE OR DELETE ON helm_tag_formats
FOR EACH ROW EXECUTE FUNCTION notify_specific_trigger_name('id');
CREATE TRIGGER notify_changes AFTER INSERT OR UPDATE OR DELETE ON helm_charts
FOR EACH ROW EXECUTE FUNCTION notify_trigger('id');
CREATE TRIGGER notify_changes AFTER INSERT OR UPDATE OR DELETE ON deployments
FOR EACH ROW EXECUTE FUNCTION notify_trigger('id');
CREATE TRIGGER notify_changes AFTER INSERT OR UPDATE OR DELETE ON deployment_tasks
FOR EACH ROW EXECUTE FUNCTION notify_trigger('id');
