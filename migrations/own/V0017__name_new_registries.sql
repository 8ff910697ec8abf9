-- The names that a new kind may get, the best one first: the last segment of the repository's name, then the full name.
CREATE FUNCTION kind_names(host text, repo_name text, full_kind_name boolean) RETURNS text[]
LANGUAGE sql VOLATILE
RETURN CASE WHEN full_kind_name THEN '{}' ELSE ARRAY[regexp_replace(repo_name, '^.*/', '')] END
    || ARRAY[repo_name, host || '/' || repo_name, host || '/' || repo_name || ' ' || gen_random_uuid()];

-- Two repositories of different names never share a kind on their own. A site admin may let them.
CREATE FUNCTION is_one_kind(repo_name text, other_repo_name text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN false;

-- A registry's row has the address with its scheme.
CREATE FUNCTION stored_domain_name(domain_name text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN domain_name;
