-- The deployments that a change of a kind or of a registry concerns. Our own database knows of none.
CREATE FUNCTION deployments_of_kind(kind_id uuid) RETURNS TABLE (name text)
LANGUAGE sql STABLE
AS $$
    SELECT NULL::text WHERE false
$$;

CREATE FUNCTION deployments_of_registry(registry_id uuid) RETURNS TABLE (name text)
LANGUAGE sql STABLE
AS $$
    SELECT NULL::text WHERE false
$$;
