-- The deployments that a change of a kind concerns: the kind's name begins their namespaces.
CREATE FUNCTION deployments_of_kind(kind_id uuid) RETURNS TABLE (name text)
LANGUAGE sql STABLE
AS $$
    SELECT deployment.name::text FROM deployments AS deployment WHERE deployment.kind_id = $1
$$;

-- The deployments that run a chart of a registry, which a change of the registry's kind concerns.
CREATE FUNCTION deployments_of_registry(registry_id uuid) RETURNS TABLE (name text)
LANGUAGE sql STABLE
AS $$
    SELECT deployment.name::text
    FROM deployments AS deployment
    JOIN helm_charts AS chart ON chart.id = deployment.helm_chart_id
    WHERE chart.helm_registry_id = $1
$$;
