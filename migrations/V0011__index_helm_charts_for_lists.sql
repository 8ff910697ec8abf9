-- Each serves one filter over all registries: what is gone, a branch, the beginning of a tag, what is broken.
CREATE INDEX helm_charts_unavailable_idx ON helm_charts (created_at DESC, id) WHERE NOT available;
CREATE INDEX helm_charts_parsed_branch_idx ON helm_charts (parsed_branch, created_at DESC, id)
WHERE parsed_branch IS NOT NULL;
CREATE INDEX helm_charts_image_tag_idx ON helm_charts (image_tag text_pattern_ops);
CREATE INDEX helm_charts_broken_idx ON helm_charts (created_at DESC, id) WHERE error IS NOT NULL;
-- All charts in order of creation, as before, and whether they are available without reading them.
DROP INDEX helm_charts_created_at_idx;
CREATE INDEX helm_charts_created_at_idx ON helm_charts (created_at DESC, id) INCLUDE (available);
