CREATE TABLE helm_tag_formats (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- The clock, because formats of one transaction are tried in the order of creation too.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    pattern text NOT NULL,
    CONSTRAINT helm_tag_formats_pattern_key UNIQUE (pattern),
    CONSTRAINT helm_tag_formats_pattern_length CHECK (octet_length(pattern) BETWEEN 1 AND 4096)
);

COMMENT ON TABLE helm_tag_formats IS
    'Regular expressions that take a tag apart. Tried in order of creation, oldest first; the first match wins.';
