-- Rises with every change of helm_tag_formats, in the same transaction. A statement that reads both knows which version
-- its formats are.
CREATE TABLE helm_tag_formats_version (
    is_only boolean PRIMARY KEY DEFAULT true,
    version bigint NOT NULL,
    tidied_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT helm_tag_formats_version_one_row CHECK (is_only)
);
INSERT INTO helm_tag_formats_version (version) VALUES (1);

COMMENT ON TABLE helm_tag_formats_version IS 'One row: how often helm_tag_formats has changed.';
COMMENT ON COLUMN helm_tag_formats_version.version IS
    'A chart whose parsed_with is smaller was parsed with older formats.';
COMMENT ON COLUMN helm_tag_formats_version.tidied_at IS
    'When tag-parser last compared helm_chart_details with helm_charts, to find rows written or deleted by hand.';

-- SECURITY DEFINER, because any role may change a format, and need not have rights on our table. The path is fixed and
-- the table's schema is written out, so that a temporary table of that role cannot take its place.
DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE FUNCTION raise_helm_tag_formats_version() RETURNS trigger
        LANGUAGE plpgsql
        SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        AS $$
        BEGIN
            UPDATE %1$I.helm_tag_formats_version SET version = version + 1;
            RETURN NULL;
        END
        $$
    $sql$, current_schema());
END
$do$;
REVOKE EXECUTE ON FUNCTION raise_helm_tag_formats_version() FROM PUBLIC;
