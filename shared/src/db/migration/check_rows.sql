-- What the rows say in a database that is to be adopted, one row per finding.
SELECT 'stop' AS level,
    'providers that discovery does not know: ' || string_agg(DISTINCT provider, ', ') AS what,
    count(*) AS count
FROM helm_registries
WHERE provider NOT IN ('Ecr', 'Oci')
HAVING count(*) > 0
UNION ALL
SELECT 'stop',
    'registries whose domain_name has a scheme or a slash at its end: Platz''s agent cannot pull from them', count(*)
FROM helm_registries
WHERE domain_name ~ '://|/$'
HAVING count(*) > 0
UNION ALL
SELECT 'stop',
    'registries whose domain_name has upper-case letters: discovery would add them once more in lower case', count(*)
FROM helm_registries
WHERE domain_name <> lower(domain_name)
HAVING count(*) > 0
UNION ALL
SELECT 'stop', 'charts with a branch, tag or digest of more than 2,000 bytes, which no index takes', count(*)
FROM helm_charts
WHERE octet_length(parsed_branch) > 2000 OR octet_length(image_tag) > 2000 OR octet_length(image_digest) > 2000
HAVING count(*) > 0
UNION ALL
SELECT 'stop', 'registries with an empty domain_name or repo_name, or one of more than 512 or 255 bytes', count(*)
FROM helm_registries
WHERE octet_length(domain_name) NOT BETWEEN 1 AND 512 OR octet_length(repo_name) NOT BETWEEN 1 AND 255
HAVING count(*) > 0
UNION ALL
SELECT 'tell', 'tag formats of more than 4,096 bytes: discovery skips them', count(*)
FROM helm_tag_formats
WHERE octet_length(pattern) > 4096
HAVING count(*) > 0
UNION ALL
SELECT 'tell', 'chart rows', count(*)
FROM helm_charts
UNION ALL
SELECT 'tell', 'chart rows that repeat the registry, tag and digest of another', count(*) - count(DISTINCT (helm_registry_id, image_tag, image_digest))
FROM helm_charts
HAVING count(*) > count(DISTINCT (helm_registry_id, image_tag, image_digest))
UNION ALL
SELECT 'tell', 'tags with several available digests, because they were moved: the first look makes all but one unavailable', count(*)
FROM (
    SELECT
    FROM helm_charts
    WHERE available
    GROUP BY helm_registry_id, image_tag
    HAVING count(DISTINCT image_digest) > 1
) AS moved
HAVING count(*) > 0
UNION ALL
SELECT 'tell', 'available charts with a digest that the predecessor made up (oci-pseudo:): unavailable when the tag is looked at, and a row with the real digest is made', count(*)
FROM helm_charts
WHERE image_digest LIKE 'oci-pseudo:%' AND available
HAVING count(*) > 0
UNION ALL
SELECT 'tell', 'charts BROKEN for a fault of the network, not their own: rescan them', count(*)
FROM helm_charts
WHERE error LIKE 'Expected exactly one folder after exporting chart%' OR error LIKE '%os error%'
HAVING count(*) > 0
UNION ALL
SELECT 'tell', 'kinds whose name cannot begin a Kubernetes namespace: deployments of them fail', count(*)
FROM deployment_kinds
WHERE lower(name) !~ '^[a-z0-9]([-a-z0-9]{0,61})$'
HAVING count(*) > 0
UNION ALL
SELECT 'tell', 'available charts whose tag no registry can have: they stay as they are', count(*)
FROM helm_charts
WHERE image_tag !~ '^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$' AND available
HAVING count(*) > 0
UNION ALL
SELECT 'tell', 'deployments that keep their charts', count(*)
FROM deployments
HAVING count(*) > 0
ORDER BY level, what
