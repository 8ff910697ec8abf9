-- The columns of a chart that its tag tells, as Platz fills them. A chart that can be read has the version of Chart.yaml
-- and no revision. Its branch and commit are its annotations' if it has one of the two; then it has no tag format. Else
-- they are the format's. A chart that cannot be read has
-- all of them from the format. A group of the format that took no part is '', not NULL, because Platz compares it so.
-- RETURNS TABLE, so that the planner puts the body in place of the call.
CREATE FUNCTION chart_tag_info(
    format_id uuid, version text, revision text, branch text, commit text,
    chart_version text, git_branch text, git_commit text
)
RETURNS TABLE (
    tag_format_id uuid, parsed_version text, parsed_revision text, parsed_branch text, parsed_commit text
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT
        CASE WHEN $6 IS NULL OR ($7 IS NULL AND $8 IS NULL) THEN $1 END,
        coalesce($6, CASE WHEN $1 IS NOT NULL THEN coalesce($2, '') END),
        CASE WHEN $6 IS NULL AND $1 IS NOT NULL THEN coalesce($3, '') END,
        CASE
            WHEN $6 IS NOT NULL AND ($7 IS NOT NULL OR $8 IS NOT NULL) THEN $7
            WHEN $1 IS NOT NULL THEN coalesce($4, '')
        END,
        CASE
            WHEN $6 IS NOT NULL AND ($7 IS NOT NULL OR $8 IS NOT NULL) THEN $8
            WHEN $1 IS NOT NULL THEN coalesce($5, '')
        END
$$;
