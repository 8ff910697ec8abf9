CREATE TABLE helm_registries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    domain_name text NOT NULL,
    repo_name text NOT NULL,
    kind_id uuid NOT NULL REFERENCES k8s_deployment_kinds (id) ON DELETE RESTRICT,
    available boolean NOT NULL DEFAULT true,
    fa_icon text NOT NULL DEFAULT 'question',
    provider text NOT NULL,
    CONSTRAINT helm_registries_provider_known CHECK (provider IN ('Ecr', 'Oci')),
    CONSTRAINT helm_registries_domain_name_length CHECK (octet_length(domain_name) BETWEEN 1 AND 512),
    CONSTRAINT helm_registries_repo_name_length CHECK (octet_length(repo_name) BETWEEN 1 AND 255)
);

COMMENT ON TABLE helm_registries IS
    'One repository of one container registry in which a Helm chart was seen. Only discovery writes it.';
COMMENT ON COLUMN helm_registries.domain_name IS
    'ECR: the bare host. Others: the address polled, or the name that the instance gives instead.';
COMMENT ON COLUMN helm_registries.repo_name IS 'The full repository name, all path segments.';
