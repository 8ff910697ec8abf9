CREATE TABLE k8s_deployment_kinds (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz DEFAULT now(),
    name text NOT NULL,
    CONSTRAINT k8s_deployment_kinds_name_key UNIQUE (name),
    CONSTRAINT k8s_deployment_kinds_name_length CHECK (octet_length(name) BETWEEN 1 AND 1024)
);

COMMENT ON TABLE k8s_deployment_kinds IS
    'What users pick when they deploy: one or more registries that hold the same chart.';
COMMENT ON COLUMN k8s_deployment_kinds.name IS
    'Named after the repository that brought it. A site admin may rename it, and discovery never undoes that.';
