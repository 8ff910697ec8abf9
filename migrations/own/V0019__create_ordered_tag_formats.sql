-- The tag formats with their place in the order in which they are tried: oldest first.
CREATE FUNCTION ordered_tag_formats()
RETURNS TABLE (id uuid, created_at timestamptz, pattern text, place bigint)
LANGUAGE sql STABLE
AS $$
    SELECT id, created_at, pattern, row_number() OVER (ORDER BY created_at, id) FROM helm_tag_formats
$$;
