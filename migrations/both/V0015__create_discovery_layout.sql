CREATE TABLE discovery_layout (
    is_only boolean PRIMARY KEY DEFAULT true,
    layout text NOT NULL,
    platz_schema text,
    adopted jsonb,
    adopted_at timestamptz,
    ecr_imports jsonb,
    granted jsonb NOT NULL DEFAULT '[]',
    CONSTRAINT discovery_layout_one_row CHECK (is_only),
    CONSTRAINT discovery_layout_known CHECK (layout IN ('own', 'platz')),
    CONSTRAINT discovery_layout_ecr_imports CHECK (jsonb_typeof(ecr_imports) = 'array'),
    CONSTRAINT discovery_layout_platz_schema CHECK ((layout = 'platz') = (platz_schema IS NOT NULL))
);

COMMENT ON TABLE discovery_layout IS 'One row: whose tables the registries, kinds, tag formats and charts are.';
COMMENT ON COLUMN discovery_layout.layout IS 'own: migrate made them. platz: the Platz backend made them and uses them.';
COMMENT ON COLUMN discovery_layout.platz_schema IS 'Platz''s newest migration when its tables were adopted.';
COMMENT ON COLUMN discovery_layout.adopted IS 'How many kinds, registries, charts and tags the adoption found.';
COMMENT ON COLUMN discovery_layout.adopted_at IS
    'When the adoption was finished; NULL: these are our own tables, or the adoption was interrupted.';
COMMENT ON COLUMN discovery_layout.ecr_imports IS
    'What imports of ECR were asked for: a backfill adds no new chart elsewhere. NULL: it adds every chart.';
COMMENT ON COLUMN discovery_layout.granted IS
    'The rights on Platz''s tables that migrate gave to roles, so that it can take back the same.';
