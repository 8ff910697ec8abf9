ALTER TABLE helm_chart_contents
    ADD COLUMN metadata jsonb,
    ADD COLUMN readme text,
    ADD COLUMN values_yaml text,
    ADD COLUMN values_schema text,
    ADD COLUMN left_out jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN has_provenance boolean NOT NULL DEFAULT false,
    ADD COLUMN contents_version smallint NOT NULL DEFAULT 1,
    ADD CONSTRAINT helm_chart_contents_readme_length CHECK (octet_length(readme) <= 262144),
    ADD CONSTRAINT helm_chart_contents_values_yaml_length CHECK (octet_length(values_yaml) <= 262144),
    ADD CONSTRAINT helm_chart_contents_values_schema_length CHECK (octet_length(values_schema) <= 262144);

COMMENT ON COLUMN helm_chart_contents.metadata IS
    'All of Chart.yaml. Its dependencies come from requirements.yaml if the chart has that file.';
COMMENT ON COLUMN helm_chart_contents.readme IS 'The first file that is called README.md, README.txt or README in any case.';
COMMENT ON COLUMN helm_chart_contents.values_yaml IS 'values.yaml as it is, without NUL and the mark of the byte order.';
COMMENT ON COLUMN helm_chart_contents.values_schema IS 'values.schema.json, likewise.';
COMMENT ON COLUMN helm_chart_contents.left_out IS
    'The files that are not kept, [{"file", "reason"}]: past the limit of 256 KiB, or not UTF-8.';
COMMENT ON COLUMN helm_chart_contents.has_provenance IS
    'Whether the manifest has a layer with the provenance of Helm. Nothing is verified.';
COMMENT ON COLUMN helm_chart_contents.contents_version IS
    'What the program read of the chart. Contents with a smaller number than the program''s are read again, a few at a time.';
