CREATE TABLE helm_tag_formats (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    pattern text NOT NULL,
    CONSTRAINT helm_tag_formats_pattern_key UNIQUE (pattern),
    CONSTRAINT helm_tag_formats_pattern_length CHECK (octet_length(pattern) BETWEEN 1 AND 4096)
);

CREATE INDEX helm_tag_formats_created_at_idx ON helm_tag_formats (created_at, id);

COMMENT ON TABLE helm_tag_formats IS
    'Regular expressions that take a tag apart. Tried in order of creation, oldest first; the first match wins.';
