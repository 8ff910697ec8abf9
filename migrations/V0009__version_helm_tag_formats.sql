-- Rises with every change of helm_tag_formats, in the same transaction: who reads both at once knows which formats he has.
CREATE TABLE helm_tag_formats_version (
    is_only boolean PRIMARY KEY DEFAULT true,
    version bigint NOT NULL,
    CONSTRAINT helm_tag_formats_version_one_row CHECK (is_only)
);
INSERT INTO helm_tag_formats_version (version) VALUES (1);

COMMENT ON TABLE helm_tag_formats_version IS 'One row: how often helm_tag_formats has changed.';
COMMENT ON COLUMN helm_tag_formats_version.version IS
    'A chart row whose parsed_with is smaller, or missing, was parsed with older formats.';

-- The path of now: a session that restores a dump has none.
CREATE FUNCTION raise_helm_tag_formats_version() RETURNS trigger
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE helm_tag_formats_version SET version = version + 1;
    RETURN NULL;
END
$$;

-- Whoever changes the table, by hand as well.
CREATE TRIGGER helm_tag_formats_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON helm_tag_formats
FOR EACH STATEMENT EXECUTE FUNCTION raise_helm_tag_formats_version();

-- Formats are tried in the order of creation, which those of one transaction have as well.
ALTER TABLE helm_tag_formats ALTER COLUMN created_at SET DEFAULT clock_timestamp();

-- The rows that are behind, in pages.
CREATE INDEX helm_charts_parsed_with_idx ON helm_charts (coalesce(parsed_with, 0), id);

-- What no format tells the chart itself does, in rows of before as well.
UPDATE helm_charts
SET parsed_version = chart_version, parsed_branch = git_branch, parsed_commit = git_commit
WHERE tag_format_id IS NULL
    AND (parsed_version, parsed_branch, parsed_commit) IS DISTINCT FROM (chart_version, git_branch, git_commit);
