-- Which sessions must end before an adoption, one row per finding.
SELECT 'stop' AS level,
    'Platz''s chart-discovery is connected (it alone listens for changes of tag formats): scale its StatefulSet to 0. From '
    || string_agg(coalesce(host(client_addr), 'a local socket'), ', ') AS what,
    count(*) AS count
FROM pg_stat_activity
WHERE datname = current_database()
    AND query ILIKE 'LISTEN%db_helm_tag_formats_notifications%'
HAVING count(*) > 0
