-- Gives Platz's database back: what we made goes, and Platz's tables stay as they are, with the rows that came meanwhile.
-- The functions' role loses the rights that migrate gave it. A role that was dropped meanwhile has none.
DO $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT rolname, item ->> 'privilege' AS privilege, item ->> 'table' AS table_name, item ->> 'column' AS column_name
        FROM discovery_layout
        CROSS JOIN jsonb_array_elements(discovery_layout.granted) AS rights (item)
        JOIN pg_roles ON pg_roles.oid = (item ->> 'role')::oid
    LOOP
        IF to_regclass(quote_ident(granted.table_name)) IS NOT NULL THEN
            EXECUTE 'REVOKE ' || granted.privilege || coalesce(' (' || quote_ident(granted.column_name) || ')', '')
                || ' ON ' || quote_ident(granted.table_name) || ' FROM ' || quote_ident(granted.rolname);
        END IF;
    END LOOP;
END
$$;
-- The trigger and the indexes are missing if the adoption was interrupted.
DROP TRIGGER IF EXISTS helm_tag_formats_changed ON helm_tag_formats;
DROP INDEX IF EXISTS
    helm_registries_host_repo_idx, helm_registries_kind_id_idx, helm_registries_repo_name_idx,
    helm_registries_created_at_idx, helm_tag_formats_created_at_idx,
    helm_charts_registry_tag_idx, helm_charts_version_idx, helm_charts_registry_created_at_idx,
    helm_charts_created_at_idx, helm_charts_image_digest_idx, helm_charts_tag_format_id_idx,
    helm_charts_unavailable_idx, helm_charts_parsed_branch_idx, helm_charts_image_tag_idx, helm_charts_broken_idx;
DROP VIEW k8s_deployment_kinds;
DROP TABLE
    admin_changes, admin_logins, deployment_kind_icons, discovery_instances, discovery_layout, dismissed_charts,
    helm_chart_contents, helm_chart_details, helm_tag_formats_version, instance_changes, observations, reference_faults, refinery_schema_history,
    seen_repositories;
DROP FUNCTION
    chart_tag_info, deployments_of_kind, deployments_of_registry, ensure_registry, is_one_kind, kind_names,
    ordered_tag_formats, plain_kind_name, predecessor_kind_name, raise_helm_tag_formats_version, registry_host, semver_key, stored_domain_name;
