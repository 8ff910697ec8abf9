CREATE TABLE helm_registries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    domain_name text NOT NULL,
    repo_name text NOT NULL,
    kind_id uuid NOT NULL REFERENCES k8s_deployment_kinds (id) ON DELETE RESTRICT,
    available boolean NOT NULL DEFAULT true,
    fa_icon text NOT NULL DEFAULT 'question',
    provider text NOT NULL,
    registry_host text NOT NULL GENERATED ALWAYS AS (regexp_replace(domain_name, '^https?://', '')) STORED,
    CONSTRAINT helm_registries_host_repo_key UNIQUE (registry_host, repo_name),
    CONSTRAINT helm_registries_provider_known CHECK (provider IN ('Ecr', 'Oci')),
    CONSTRAINT helm_registries_domain_name_length CHECK (octet_length(domain_name) BETWEEN 1 AND 512),
    CONSTRAINT helm_registries_repo_name_length CHECK (octet_length(repo_name) BETWEEN 1 AND 255)
);

-- Each serves one list or filter: by kind, and all in order of creation.
CREATE INDEX helm_registries_kind_id_idx ON helm_registries (kind_id);
CREATE INDEX helm_registries_created_at_idx ON helm_registries (created_at DESC, id);

COMMENT ON TABLE helm_registries IS
    'One repository of one container registry in which a Helm chart was seen. Written by discovery only.';
COMMENT ON COLUMN helm_registries.domain_name IS
    'ECR: the bare host. Others: the address polled, or the name that the instance gives instead.';
COMMENT ON COLUMN helm_registries.repo_name IS 'The full repository name, all path segments.';
COMMENT ON COLUMN helm_registries.registry_host IS
    'domain_name without its scheme, so that http and https are one registry.';
