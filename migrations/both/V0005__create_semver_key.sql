-- A text that sorts bytewise as SemVer 2 orders versions (section 11). The version picker uses it to page. Helm writes
-- a version's + as _ in a tag, and what follows it does not count. NULL for a tag that is no version.
--
-- A number is its count of digits, as one character, and the digits, so that 9 comes before 10. A pre-release is its
-- identifiers, each behind a mark, numbers before words; a release has the last mark of all.
CREATE FUNCTION semver_key(version text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT chr(64 + length(part[1])) || part[1] || chr(64 + length(part[2])) || part[2]
        || chr(64 + length(part[3])) || part[3]
        || CASE
            WHEN part[4] IS NULL THEN '3'
            ELSE (
                SELECT string_agg(
                    CASE
                        WHEN identifier ~ '^[0-9]+$' THEN '1' || chr(64 + length(identifier)) || identifier || ' '
                        ELSE '2' || identifier || ' '
                    END, '' ORDER BY place
                )
                FROM string_to_table(part[4], '.') WITH ORDINALITY AS identifiers (identifier, place)
            )
        END
    FROM regexp_match(
        version,
        '^v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)'
        || '(?:-((?:[0-9A-Za-z-]+)(?:\.[0-9A-Za-z-]+)*))?(?:[+_][0-9A-Za-z.-]+)?$'
    ) AS match (part)
);

COMMENT ON FUNCTION semver_key IS 'Sorts, with the collation "C", as SemVer orders the versions.';
