-- The columns of a chart that its tag tells: those of the tag format that the tag matches, else what the chart itself
-- says. RETURNS TABLE, so that the planner puts the body in place of the call.
CREATE FUNCTION chart_tag_info(
    format_id uuid, version text, revision text, branch text, commit text,
    chart_version text, git_branch text, git_commit text
)
RETURNS TABLE (
    tag_format_id uuid, parsed_version text, parsed_revision text, parsed_branch text, parsed_commit text
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT $1,
        CASE WHEN $1 IS NULL THEN $6 ELSE $2 END,
        $3,
        CASE WHEN $1 IS NULL THEN $7 ELSE $4 END,
        CASE WHEN $1 IS NULL THEN $8 ELSE $5 END
$$;
