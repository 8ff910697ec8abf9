CREATE FUNCTION registry_host(domain_name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(domain_name, '^https?://', '');

COMMENT ON FUNCTION registry_host IS 'domain_name without its scheme, so that http and https are one registry.';
