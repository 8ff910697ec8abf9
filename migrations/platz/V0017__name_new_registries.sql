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

-- The names that a new kind may get, the best one first. Each can begin a namespace.
CREATE FUNCTION kind_names(host text, repo_name text, full_kind_name boolean) RETURNS text[]
LANGUAGE sql VOLATILE
RETURN (
    SELECT array_agg(name ORDER BY place)
    FROM unnest(ARRAY[
        CASE WHEN NOT full_kind_name THEN predecessor_kind_name(regexp_replace(repo_name, '^.*/', '')) END,
        plain_kind_name(repo_name),
        plain_kind_name(repo_name) || plain_kind_name(host),
        left(plain_kind_name(repo_name), 40) || upper(left(gen_random_uuid()::text, 8)),
        'Chart' || upper(replace(gen_random_uuid()::text, '-', ''))
    ]) WITH ORDINALITY AS names (name, place)
    WHERE name ~ '^[A-Za-z0-9][-A-Za-z0-9]{0,49}$'
);

-- Two repositories share a kind if the predecessor gave both the same name.
CREATE FUNCTION is_one_kind(repo_name text, other_repo_name text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN predecessor_kind_name(repo_name) = predecessor_kind_name(other_repo_name);

-- A registry's row has the bare host, because Platz's agent puts it behind oci://.
CREATE FUNCTION stored_domain_name(domain_name text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN registry_host(domain_name);
