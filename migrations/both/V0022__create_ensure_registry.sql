-- Finds or makes the registry row of a repository, and with it the kind it belongs to. A function, because the choice
-- of the kind needs several statements that see each other's work, under one lock, without a round trip each.
CREATE FUNCTION ensure_registry(new_domain_name text, new_repo_name text, new_provider text, full_kind_name boolean)
RETURNS uuid
LANGUAGE plpgsql
AS $$
-- Platz may add columns with the names of our variables.
#variable_conflict use_variable
DECLARE
    host constant text := registry_host(new_domain_name);
    candidate text;
    found_id uuid;
    chosen_kind uuid;
BEGIN
    SELECT id INTO found_id FROM helm_registries
    WHERE registry_host(domain_name) = host AND repo_name = new_repo_name;
    IF FOUND THEN
        RETURN found_id;
    END IF;

    -- New registries are rare. One lock for all of them keeps two first pushes from choosing the same kind, in
    -- whatever order two batches reach them.
    PERFORM pg_advisory_xact_lock(4848160102);
    SELECT id INTO found_id FROM helm_registries
    WHERE registry_host(domain_name) = host AND repo_name = new_repo_name;
    IF FOUND THEN
        RETURN found_id;
    END IF;

    -- A mirror shares the kind of the oldest registry with the same repository, whatever that kind is called by now.
    SELECT kind_id INTO chosen_kind FROM helm_registries
    WHERE repo_name = new_repo_name
    ORDER BY created_at, id
    LIMIT 1;
    IF NOT FOUND THEN
        -- The first name whose kind is new, or has no registry, or has one that shares its kind with the new one. The
        -- last name is always new.
        FOREACH candidate IN ARRAY kind_names(host, new_repo_name, full_kind_name) LOOP
            INSERT INTO k8s_deployment_kinds (name) VALUES (candidate) ON CONFLICT DO NOTHING;
            SELECT kind.id INTO chosen_kind
            FROM k8s_deployment_kinds AS kind
            WHERE kind.name = candidate
                AND (
                    NOT EXISTS (SELECT FROM helm_registries AS taken WHERE taken.kind_id = kind.id)
                    OR EXISTS (
                        SELECT FROM helm_registries AS other
                        WHERE other.kind_id = kind.id AND is_one_kind(other.repo_name, new_repo_name)
                    )
                );
            EXIT WHEN FOUND;
        END LOOP;
    END IF;

    INSERT INTO helm_registries (domain_name, repo_name, kind_id, provider)
    VALUES (stored_domain_name(new_domain_name), new_repo_name, chosen_kind, new_provider)
    RETURNING id INTO found_id;
    RETURN found_id;
END
$$;

COMMENT ON FUNCTION ensure_registry IS
    'Called in the transaction that writes the first chart of a repository. Safe to repeat, and beside other calls.';
