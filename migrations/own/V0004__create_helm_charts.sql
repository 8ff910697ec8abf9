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
    CONSTRAINT helm_charts_image_tag_length CHECK (octet_length(image_tag) BETWEEN 1 AND 128),
    CONSTRAINT helm_charts_image_digest_length CHECK (octet_length(image_digest) BETWEEN 1 AND 160),
    CONSTRAINT helm_charts_error_length CHECK (octet_length(error) <= 2048)
);

COMMENT ON TABLE helm_charts IS
    'Every chart version ever seen: one row per tag and digest. Discovery never deletes one and never changes an id.';
COMMENT ON COLUMN helm_charts.created_at IS
    'ECR: the push. Others: org.opencontainers.image.created where it is valid and not in the future, else first seen.';
COMMENT ON COLUMN helm_charts.available IS
    'Whether the tag resolves to this digest in the registry. False: deleted there, or moved to another digest.';
COMMENT ON COLUMN helm_charts.error IS
    'Why the chart itself is unusable (the BROKEN badge). A fault of the network or the registry is never put here.';
