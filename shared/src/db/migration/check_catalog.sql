-- What the catalog says in a database that is to be adopted, one row per finding.
WITH expected (tbl, col, typ, nullable) AS (VALUES
    ('deployment_kinds', 'id', 'uuid', false),
    ('deployment_kinds', 'created_at', 'timestamp with time zone', false),
    ('deployment_kinds', 'name', 'character varying', false),
    ('helm_registries', 'id', 'uuid', false),
    ('helm_registries', 'created_at', 'timestamp with time zone', false),
    ('helm_registries', 'domain_name', 'character varying', false),
    ('helm_registries', 'repo_name', 'character varying', false),
    ('helm_registries', 'kind_id', 'uuid', false),
    ('helm_registries', 'available', 'boolean', false),
    ('helm_registries', 'fa_icon', 'character varying', false),
    ('helm_registries', 'provider', 'character varying', false),
    ('helm_tag_formats', 'id', 'uuid', false),
    ('helm_tag_formats', 'created_at', 'timestamp with time zone', false),
    ('helm_tag_formats', 'pattern', 'character varying', false),
    ('helm_charts', 'id', 'uuid', false),
    ('helm_charts', 'created_at', 'timestamp with time zone', false),
    ('helm_charts', 'helm_registry_id', 'uuid', false),
    ('helm_charts', 'image_digest', 'character varying', false),
    ('helm_charts', 'image_tag', 'character varying', false),
    ('helm_charts', 'available', 'boolean', false),
    ('helm_charts', 'values_ui', 'jsonb', true),
    ('helm_charts', 'actions_schema', 'jsonb', true),
    ('helm_charts', 'features', 'jsonb', true),
    ('helm_charts', 'resource_types', 'jsonb', true),
    ('helm_charts', 'error', 'character varying', true),
    ('helm_charts', 'tag_format_id', 'uuid', true),
    ('helm_charts', 'parsed_version', 'character varying', true),
    ('helm_charts', 'parsed_revision', 'character varying', true),
    ('helm_charts', 'parsed_branch', 'character varying', true),
    ('helm_charts', 'parsed_commit', 'character varying', true)
), present AS (
    SELECT class.oid, class.relname::text AS tbl, class.relowner
    FROM pg_class AS class
    WHERE class.oid IN (SELECT to_regclass(tbl) FROM expected)
), found AS (
    SELECT present.tbl, attribute.attname::text AS col,
        format_type(attribute.atttypid, attribute.atttypmod) AS typ, NOT attribute.attnotnull AS nullable
    FROM present
    JOIN pg_attribute AS attribute
        ON attribute.attrelid = present.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
), platz AS (
    SELECT version FROM __diesel_schema_migrations
)
SELECT 'stop' AS level, 'Postgres is older than 14: upgrade the server first' AS what, 1::bigint AS count
WHERE current_setting('server_version_num')::integer < 140000
UNION ALL
SELECT 'stop',
    'Platz is older than v0.7.0-beta.1, whose migration 20260509120000 adds helm_registries.provider: upgrade Platz first',
    1
WHERE NOT EXISTS (SELECT FROM platz WHERE version = '20260509120000')
UNION ALL
SELECT 'stop',
    'a column is missing, or of another type, or nullable where it was not: '
    || string_agg(expected.tbl || '.' || expected.col, ', '),
    count(*)
FROM expected
LEFT JOIN found USING (tbl, col)
WHERE found.col IS NULL OR (found.typ, found.nullable) <> (expected.typ, expected.nullable)
HAVING count(*) > 0
UNION ALL
SELECT 'stop',
    'names that an adoption needs are taken: ' || string_agg(name, ', '),
    count(*)
FROM (
    SELECT name
    FROM unnest(ARRAY[
        'admin_changes', 'admin_logins', 'deployment_kind_icons', 'discovery_instances', 'discovery_layout',
        'dismissed_charts', 'helm_chart_contents', 'helm_chart_details', 'helm_tag_formats_version', 'instance_changes',
        'k8s_deployment_kinds', 'observations',
        'reference_faults', 'refinery_schema_history', 'seen_repositories',
        'helm_registries_host_repo_idx', 'helm_registries_kind_id_idx',
        'helm_registries_repo_name_idx', 'helm_registries_created_at_idx', 'helm_tag_formats_created_at_idx',
        'helm_charts_registry_tag_idx', 'helm_charts_version_idx', 'helm_charts_registry_created_at_idx',
        'helm_charts_created_at_idx', 'helm_charts_image_digest_idx', 'helm_charts_tag_format_id_idx',
        'helm_charts_unavailable_idx', 'helm_charts_parsed_branch_idx', 'helm_charts_image_tag_idx',
        'helm_charts_broken_idx', 'helm_chart_details_parsed_with_idx', 'observations_outdated_idx',
        'admin_changes_object_idx', 'admin_changes_type_idx'
    ]) AS relations (name)
    WHERE to_regclass(name) IS NOT NULL
    UNION ALL
    SELECT proname::text
    FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace
        AND proname IN (
            'chart_tag_info', 'deployments_of_kind', 'deployments_of_registry', 'ensure_registry', 'is_one_kind', 'kind_names', 'ordered_tag_formats', 'plain_kind_name',
            'predecessor_kind_name', 'raise_helm_tag_formats_version', 'registry_host', 'semver_key',
            'stored_domain_name'
        )
) AS taken
HAVING count(*) > 0
UNION ALL
SELECT 'stop',
    'this role does not own Platz''s tables, which indexes and a trigger need: log in as the owner, or as a member of it: '
    || string_agg(tbl || ' of ' || relowner::regrole, ', '),
    count(*)
FROM present
WHERE NOT pg_has_role(relowner, 'USAGE')
HAVING count(*) > 0
UNION ALL
SELECT 'stop', 'this role may not create objects in the schema ' || current_schema(), 1
WHERE NOT has_schema_privilege(current_schema(), 'CREATE')
UNION ALL
SELECT 'stop',
    'triggers that are not Platz''s, on tables that discovery writes: '
    || string_agg(tgrelid::regclass || '.' || tgname, ', '),
    count(*)
FROM pg_trigger
WHERE NOT tgisinternal
    AND tgrelid IN (SELECT oid FROM present)
    AND tgname NOT IN ('notify_changes', 'helm_registries_notify', 'notify_helm_tag_formats_changes')
HAVING count(*) > 0
UNION ALL
SELECT 'stop', 'the table deployments has no column ' || string_agg(name, ', '), count(*)
FROM unnest(ARRAY['name', 'kind_id', 'helm_chart_id']) AS columns (name)
WHERE NOT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = to_regclass('deployments') AND attname = columns.name AND NOT attisdropped
)
HAVING count(*) > 0
UNION ALL
SELECT 'stop',
    'rules or row-level security on tables that discovery writes: ' || string_agg(tbl, ', '),
    count(*)
FROM present
JOIN pg_class AS class USING (oid)
WHERE class.relhasrules OR class.relrowsecurity
HAVING count(*) > 0
UNION ALL
SELECT 'tell',
    'publications of all tables: make the new tables on the subscribers too, or their replication stops: '
    || string_agg(pubname::text, ', '),
    count(*)
FROM pg_publication
WHERE puballtables
HAVING count(*) > 0
UNION ALL
SELECT 'tell', 'migrations of Platz newer than the newest that was tried (20260613184500)', count(*)
FROM platz
WHERE version > '20260613184500'
HAVING count(*) > 0
UNION ALL
SELECT 'tell',
    'columns that Platz did not have when this was tried: ' || string_agg(found.tbl || '.' || found.col, ', '),
    count(*)
FROM found
LEFT JOIN expected USING (tbl, col)
WHERE expected.col IS NULL
HAVING count(*) > 0
ORDER BY level, what
