CREATE TABLE deployment_kind_icons (
    kind_id uuid PRIMARY KEY,
    fa_icon text NOT NULL
);

COMMENT ON TABLE deployment_kind_icons IS 'The icon of a row of k8s_deployment_kinds, set through one of its registries.';
COMMENT ON COLUMN deployment_kind_icons.fa_icon IS 'Name of a FontAwesome icon.';
