-- Finds or makes the registry row of a repository, and with it the kind it belongs to. A function, because the choice
-- of the kind needs several statements that see each other's work, under one lock, without a round trip each.
CREATE FUNCTION ensure_registry(new_domain_name text, new_repo_name text, new_provider text, full_kind_name boolean)
RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    host constant text := regexp_replace(new_domain_name, '^https?://', '');
    short_name constant text := regexp_replace(new_repo_name, '^.*/', '');
    full_name constant text := host || '/' || new_repo_name;
    names text[] := ARRAY[new_repo_name, full_name, full_name || ' ' || gen_random_uuid()];
    candidate text;
    found_id uuid;
    chosen_kind uuid;
BEGIN
    SELECT id INTO found_id FROM helm_registries WHERE registry_host = host AND repo_name = new_repo_name;
    IF FOUND THEN
        RETURN found_id;
    END IF;

    -- New registries are rare. One lock for all of them keeps two first pushes from choosing the same kind, in
    -- whatever order two batches come to them.
    PERFORM pg_advisory_xact_lock(4848160102);
    SELECT id INTO found_id FROM helm_registries WHERE registry_host = host AND repo_name = new_repo_name;
    IF FOUND THEN
        RETURN found_id;
    END IF;

    -- The first name whose kind is new, has no registry, or has one of the same repository (a mirror). The last name
    -- is always new.
    IF NOT full_kind_name THEN
        names := short_name || names;
    END IF;
    FOREACH candidate IN ARRAY names LOOP
        INSERT INTO k8s_deployment_kinds (name) VALUES (candidate) ON CONFLICT (name) DO NOTHING;
        SELECT kind.id INTO chosen_kind
        FROM k8s_deployment_kinds AS kind
        WHERE kind.name = candidate
            AND (
                NOT EXISTS (SELECT FROM helm_registries AS taken WHERE taken.kind_id = kind.id)
                OR EXISTS (
                    SELECT FROM helm_registries AS mirror
                    WHERE mirror.kind_id = kind.id AND mirror.repo_name = new_repo_name
                )
            );
        EXIT WHEN FOUND;
    END LOOP;

    INSERT INTO helm_registries (domain_name, repo_name, kind_id, provider)
    VALUES (new_domain_name, new_repo_name, chosen_kind, new_provider)
    RETURNING id INTO found_id;
    RETURN found_id;
END
$$;

COMMENT ON FUNCTION ensure_registry IS
    'Called inside the transaction that writes the first chart of a repository; safe to call again and at once.';
