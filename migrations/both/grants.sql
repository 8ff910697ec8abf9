-- The rights of the role that the functions log in as. `migrate` runs this for the payload {"grant":"ROLE"}. Safe to repeat.
--
-- The tables that other programs read. There is no DELETE on kinds, registries and charts, and no UPDATE of an id. In a
-- database of Platz's a deleted chart would take its deployments with it.
GRANT SELECT ON helm_registries, helm_charts, helm_tag_formats, k8s_deployment_kinds TO :"role";
GRANT INSERT (name), UPDATE (name) ON k8s_deployment_kinds TO :"role";
GRANT INSERT (domain_name, repo_name, kind_id, provider), UPDATE (domain_name, kind_id, fa_icon) ON helm_registries TO :"role";
GRANT
    INSERT (
        created_at, helm_registry_id, image_digest, image_tag, values_ui, actions_schema, features, resource_types, error,
        tag_format_id, parsed_version, parsed_revision, parsed_branch, parsed_commit
    ),
    UPDATE (
        available, values_ui, actions_schema, features, resource_types, error, tag_format_id, parsed_version,
        parsed_revision, parsed_branch, parsed_commit
    )
ON helm_charts TO :"role";
-- UPDATE, because a transaction that refers to a format locks its row.
GRANT INSERT (pattern), UPDATE (pattern), DELETE ON helm_tag_formats TO :"role";

-- The tables that discovery alone uses. DELETE: details of charts that were deleted by hand, logins that have expired,
-- observations without a use, faults that are over, and instances that are gone.
GRANT SELECT ON discovery_layout, helm_tag_formats_version TO :"role";
GRANT UPDATE (ecr_imports) ON discovery_layout TO :"role";
GRANT UPDATE (tidied_at) ON helm_tag_formats_version TO :"role";
GRANT SELECT, INSERT, UPDATE ON helm_chart_contents, deployment_kind_icons TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON discovery_instances, helm_chart_details, observations, reference_faults, seen_repositories TO :"role";
-- DELETE, because a rescan adds a dismissed chart again, and the poller reads a change once.
GRANT SELECT, INSERT, DELETE ON dismissed_charts, instance_changes TO :"role";
GRANT SELECT, INSERT, DELETE ON admin_logins TO :"role";
-- The record of changes only grows.
GRANT SELECT, INSERT ON admin_changes TO :"role";

-- Any role may call these, unless an administrator has revoked that from PUBLIC.
GRANT EXECUTE ON FUNCTION
    chart_tag_info, deployments_of_kind, deployments_of_registry, ensure_registry, is_one_kind, kind_names,
    ordered_tag_formats, registry_host, semver_key, stored_domain_name
TO :"role";
