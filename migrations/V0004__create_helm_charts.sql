CREATE TABLE helm_charts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL,
    helm_registry_id uuid NOT NULL REFERENCES helm_registries (id) ON DELETE CASCADE,
    image_digest text NOT NULL,
    image_tag text NOT NULL,
    available boolean NOT NULL DEFAULT true,
    values_ui jsonb,
    actions_schema jsonb,
    features jsonb,
    resource_types jsonb,
    error text,
    tag_format_id uuid REFERENCES helm_tag_formats (id) ON DELETE SET NULL,
    parsed_version text,
    parsed_revision text,
    parsed_branch text,
    parsed_commit text,
    chart_name text,
    chart_version text,
    app_version text,
    description text,
    git_commit text,
    git_branch text,
    git_repo text,
    parsed_with bigint,
    CONSTRAINT helm_charts_registry_tag_digest_key UNIQUE (helm_registry_id, image_tag, image_digest),
    CONSTRAINT helm_charts_image_tag_length CHECK (octet_length(image_tag) BETWEEN 1 AND 128),
    CONSTRAINT helm_charts_image_digest_length CHECK (octet_length(image_digest) BETWEEN 1 AND 160),
    CONSTRAINT helm_charts_error_length CHECK (octet_length(error) <= 2048)
);

-- A tag resolves to one digest at a time.
CREATE UNIQUE INDEX helm_charts_available_tag_key ON helm_charts (helm_registry_id, image_tag) WHERE available;
-- Each serves one list or lookup: a registry's charts and all charts in order of creation, charts by digest, and the
-- charts of a tag format that is being deleted.
CREATE INDEX helm_charts_registry_created_at_idx ON helm_charts (helm_registry_id, created_at DESC, id);
CREATE INDEX helm_charts_created_at_idx ON helm_charts (created_at DESC, id);
CREATE INDEX helm_charts_image_digest_idx ON helm_charts (image_digest);
CREATE INDEX helm_charts_tag_format_id_idx ON helm_charts (tag_format_id) WHERE tag_format_id IS NOT NULL;

COMMENT ON TABLE helm_charts IS
    'Every chart version ever seen: one row per tag and digest. Discovery never deletes one and never changes an id.';
COMMENT ON COLUMN helm_charts.created_at IS
    'ECR: the push. Others: org.opencontainers.image.created where it is valid and not in the future, else first seen.';
COMMENT ON COLUMN helm_charts.available IS
    'Whether the tag resolves to this digest in the registry. False: deleted there, or moved to another digest.';
COMMENT ON COLUMN helm_charts.error IS
    'Why the chart itself is unusable (the BROKEN badge). A fault of the network or the registry is never put here.';
COMMENT ON COLUMN helm_charts.parsed_with IS 'Version of the tag formats that the parsed_ columns were made with.';
