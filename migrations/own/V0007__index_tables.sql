-- A second guard behind the row lock on observations, which serialises the writers of a tag.
CREATE UNIQUE INDEX helm_registries_host_repo_key ON helm_registries (registry_host(domain_name), repo_name);
CREATE UNIQUE INDEX helm_charts_registry_tag_digest_key ON helm_charts (helm_registry_id, image_tag, image_digest);
-- A tag resolves to one digest at a time.
CREATE UNIQUE INDEX helm_charts_available_tag_key ON helm_charts (helm_registry_id, image_tag) WHERE available;

-- Registries of a kind, of a repository name (mirrors), and all in order of creation.
CREATE INDEX helm_registries_kind_id_idx ON helm_registries (kind_id);
CREATE INDEX helm_registries_repo_name_idx ON helm_registries (repo_name, created_at, id);
CREATE INDEX helm_registries_created_at_idx ON helm_registries (created_at DESC, id);

CREATE INDEX helm_tag_formats_created_at_idx ON helm_tag_formats (created_at, id);

-- The version picker. INCLUDE, so that it takes the keys from the index instead of computing them again.
CREATE INDEX helm_charts_version_idx ON helm_charts
(helm_registry_id, semver_key(image_tag) COLLATE "C" DESC NULLS LAST, created_at DESC, id)
INCLUDE (image_tag, available);
-- A registry's charts and all charts in order of creation; the latter says which are available without reading them.
CREATE INDEX helm_charts_registry_created_at_idx ON helm_charts (helm_registry_id, created_at DESC, id);
CREATE INDEX helm_charts_created_at_idx ON helm_charts (created_at DESC, id) INCLUDE (available);
-- Charts by digest, and those of a tag format that is being deleted.
CREATE INDEX helm_charts_image_digest_idx ON helm_charts (image_digest);
CREATE INDEX helm_charts_tag_format_id_idx ON helm_charts (tag_format_id) WHERE tag_format_id IS NOT NULL;
-- Each serves one filter over all registries: what is gone, a branch, the beginning of a tag, what is broken.
CREATE INDEX helm_charts_unavailable_idx ON helm_charts (created_at DESC, id) WHERE NOT available;
CREATE INDEX helm_charts_parsed_branch_idx ON helm_charts (parsed_branch, created_at DESC, id)
WHERE parsed_branch IS NOT NULL;
CREATE INDEX helm_charts_image_tag_idx ON helm_charts (image_tag text_pattern_ops);
CREATE INDEX helm_charts_broken_idx ON helm_charts (created_at DESC, id) WHERE error IS NOT NULL;
