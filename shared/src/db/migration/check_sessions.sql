-- What the login may not read, and which sessions must end before an adoption, one row per finding.
SELECT 'stop' AS level,
    'Platz''s chart-discovery is connected (it alone listens for changes of tag formats): scale its StatefulSet to 0. From '
    || string_agg(coalesce(host(client_addr), 'a local socket'), ', ') AS what,
    count(*) AS count
FROM pg_stat_activity
WHERE datname = current_database()
    AND query ILIKE 'LISTEN%db_helm_tag_formats_notifications%'
HAVING count(*) > 0
UNION ALL
SELECT 'tell',
    'sessions whose statements this role may not see: make sure that none of them is Platz''s chart-discovery',
    count(*)
FROM pg_stat_activity
WHERE datname = current_database() AND query = '<insufficient privilege>'
HAVING count(*) > 0
UNION ALL
SELECT 'stop', 'this role may not read tables of Platz''s: ' || string_agg(name, ', '), count(*)
FROM unnest(ARRAY[
    '__diesel_schema_migrations', 'deployment_kinds', 'deployments', 'helm_registries', 'helm_tag_formats', 'helm_charts'
]) AS tables (name)
WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), 'SELECT')
HAVING count(*) > 0
