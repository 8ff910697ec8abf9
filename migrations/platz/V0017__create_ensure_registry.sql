-- The kind's name as the predecessor made it: orders-chart is Orders, payments-api is PaymentsApi. Charts name kinds in
-- their values-ui, and a deployment's namespace begins with the name, so that it must stay what it was.
--
-- A piece that begins like user@host or scheme:path keeps its case, because the predecessor took it for an address.
CREATE FUNCTION predecessor_kind_name(repo_name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT
RETURN (
    SELECT coalesce(string_agg(
        CASE
            WHEN piece ~ '^[-_a-z]+[@.:][-_a-z@.:/]' THEN piece
            ELSE (
                SELECT string_agg(
                    CASE
                        WHEN word ~ '^[-_a-z]+[@.:][-_a-z@.:/]' THEN word
                        ELSE upper(left(word, 1)) || substr(word, 2)
                    END, '/' ORDER BY n
                )
                FROM string_to_table(piece, '/') WITH ORDINALITY AS words (word, n)
            )
        END, '' ORDER BY place
    ), '')
    FROM string_to_table(regexp_replace(repo_name, '(^|-)charts?$', ''), '-') WITH ORDINALITY AS pieces (piece, place)
);

-- The words of a name, each capitalised, without separators: what a namespace can begin with.
CREATE FUNCTION plain_kind_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT
RETURN (
    SELECT string_agg(upper(left(word, 1)) || substr(word, 2), '' ORDER BY place)
    FROM regexp_split_to_table(name, '[^A-Za-z0-9]+') WITH ORDINALITY AS words (word, place)
);

-- Finds or makes the registry row of a repository, and with it the kind it belongs to. The row has the bare host, because
-- Platz's agent puts it behind oci://.
CREATE FUNCTION ensure_registry(new_domain_name text, new_repo_name text, new_provider text, full_kind_name boolean)
RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    host constant text := registry_host(new_domain_name);
    full_name constant text := plain_kind_name(new_repo_name);
    names text[] := ARRAY[
        full_name,
        full_name || plain_kind_name(host),
        left(full_name, 40) || upper(left(gen_random_uuid()::text, 8)),
        'Chart' || upper(replace(gen_random_uuid()::text, '-', ''))
    ];
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
        IF NOT full_kind_name THEN
            names := predecessor_kind_name(regexp_replace(new_repo_name, '^.*/', '')) || names;
        END IF;
        -- The first name that can begin a namespace and whose kind is new, has no registry, or has registries to which
        -- the predecessor gave the same name.
        FOREACH candidate IN ARRAY names LOOP
            CONTINUE WHEN candidate !~ '^[A-Za-z0-9][-A-Za-z0-9]{0,49}$';
            INSERT INTO deployment_kinds (name)
            SELECT candidate WHERE NOT EXISTS (SELECT FROM deployment_kinds WHERE name = candidate);
            SELECT kind.id INTO chosen_kind
            FROM deployment_kinds AS kind
            WHERE kind.name = candidate
                AND (
                    NOT EXISTS (SELECT FROM helm_registries AS taken WHERE taken.kind_id = kind.id)
                    OR EXISTS (
                        SELECT FROM helm_registries AS alike
                        WHERE alike.kind_id = kind.id
                            AND predecessor_kind_name(alike.repo_name) = predecessor_kind_name(new_repo_name)
                    )
                );
            EXIT WHEN FOUND;
        END LOOP;
    END IF;

    INSERT INTO helm_registries (domain_name, repo_name, kind_id, provider)
    VALUES (host, new_repo_name, chosen_kind, new_provider)
    RETURNING id INTO found_id;
    RETURN found_id;
END
$$;

COMMENT ON FUNCTION ensure_registry IS
    'Called in the transaction that writes the first chart of a repository. Safe to repeat, and beside other calls.';
