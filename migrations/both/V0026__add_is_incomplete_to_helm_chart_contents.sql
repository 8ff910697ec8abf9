ALTER TABLE helm_chart_contents ADD COLUMN is_incomplete boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN helm_chart_contents.is_incomplete IS
    'Whether the registry lacked something that the contents depend on: the config blob, or a manifest in an image index. Such contents are read again.';
