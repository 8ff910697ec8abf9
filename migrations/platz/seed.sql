-- What discovery knows from rows that Platz's chart-discovery wrote. Writes our tables only, so that no trigger of
-- Platz's fires. Safe to repeat.

-- The rows count as read and as parsed with the formats that are there now, so that no write changes what Platz shows.
INSERT INTO helm_chart_details (chart_id, adopted, parsed_with)
SELECT chart.id, true, formats.version
FROM helm_charts AS chart
CROSS JOIN helm_tag_formats_version AS formats
ON CONFLICT (chart_id) DO NOTHING;

-- Gives each tag an old observation, so that discovery notices a tag that is gone, and writes nothing for an unchanged
-- one. A tag with several available digests was moved, and the rows do not say which one is current. It is marked as
-- missing, so that the first pass asks the registry. Its digest is one that no registry returns, so that the answer
-- always differs, and the rows of the other digests become unavailable. A tag without an available row gets no
-- observation, so that discovery looks at it when it is listed.
INSERT INTO observations (registry_host, repo_name, reference, digest, observed_at, changed_at, missing_since)
SELECT registry_host(registry.domain_name), registry.repo_name, chart.image_tag,
    CASE WHEN count(DISTINCT chart.image_digest) > 1 THEN 'several' ELSE min(chart.image_digest) END,
    timestamptz '2000-01-01 00:00:00Z', timestamptz '2000-01-01 00:00:00Z',
    CASE WHEN count(DISTINCT chart.image_digest) > 1 THEN timestamptz '2000-01-01 00:00:00Z' END
FROM helm_charts AS chart
JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
WHERE chart.available AND octet_length(chart.image_tag) BETWEEN 1 AND 160
GROUP BY 1, 2, 3
ON CONFLICT DO NOTHING;
