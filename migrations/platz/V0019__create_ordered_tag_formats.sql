-- The tag formats with their place in the order in which they are tried: newest first, as Platz does.
CREATE FUNCTION ordered_tag_formats()
RETURNS TABLE (id uuid, created_at timestamptz, pattern text, place bigint)
LANGUAGE sql STABLE
AS $$
    SELECT id, created_at, pattern, row_number() OVER (ORDER BY created_at DESC, id DESC) FROM helm_tag_formats
$$;
