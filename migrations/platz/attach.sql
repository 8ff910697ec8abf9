-- What an adoption adds to Platz's tables, one statement each and each in a transaction of its own, so that nothing waits
-- for more than one of them. Safe to repeat. unadopt.sql takes back the same.
--
-- The trigger comes first, so that no change of a tag format is missed after the rows were noted as parsed.
CREATE OR REPLACE TRIGGER helm_tag_formats_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON helm_tag_formats
FOR EACH STATEMENT EXECUTE FUNCTION raise_helm_tag_formats_version();

-- No index is unique, because Platz's rows repeat. Not CONCURRENTLY, because that would wait for a backup that is running.
CREATE INDEX IF NOT EXISTS helm_registries_host_repo_idx ON helm_registries (registry_host(domain_name), repo_name);
CREATE INDEX IF NOT EXISTS helm_registries_kind_id_idx ON helm_registries (kind_id);
CREATE INDEX IF NOT EXISTS helm_registries_repo_name_idx ON helm_registries (repo_name, created_at, id);
CREATE INDEX IF NOT EXISTS helm_registries_created_at_idx ON helm_registries (created_at DESC, id);
CREATE INDEX IF NOT EXISTS helm_tag_formats_created_at_idx ON helm_tag_formats (created_at, id);
CREATE INDEX IF NOT EXISTS helm_charts_registry_tag_idx ON helm_charts (helm_registry_id, image_tag);
CREATE INDEX IF NOT EXISTS helm_charts_version_idx ON helm_charts
(helm_registry_id, semver_key(image_tag) COLLATE "C" DESC NULLS LAST, created_at DESC, id)
INCLUDE (image_tag, available);
CREATE INDEX IF NOT EXISTS helm_charts_registry_created_at_idx ON helm_charts (helm_registry_id, created_at DESC, id);
CREATE INDEX IF NOT EXISTS helm_charts_created_at_idx ON helm_charts (created_at DESC, id) INCLUDE (available);
CREATE INDEX IF NOT EXISTS helm_charts_image_digest_idx ON helm_charts (image_digest);
CREATE INDEX IF NOT EXISTS helm_charts_tag_format_id_idx ON helm_charts (tag_format_id) WHERE tag_format_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS helm_charts_unavailable_idx ON helm_charts (created_at DESC, id) WHERE NOT available;
CREATE INDEX IF NOT EXISTS helm_charts_parsed_branch_idx ON helm_charts (parsed_branch, created_at DESC, id)
WHERE parsed_branch IS NOT NULL;
CREATE INDEX IF NOT EXISTS helm_charts_image_tag_idx ON helm_charts (image_tag text_pattern_ops);
CREATE INDEX IF NOT EXISTS helm_charts_broken_idx ON helm_charts (created_at DESC, id) WHERE error IS NOT NULL;
