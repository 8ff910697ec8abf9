-- Per statement, so that a change by hand counts too.
CREATE TRIGGER helm_tag_formats_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON helm_tag_formats
FOR EACH STATEMENT EXECUTE FUNCTION raise_helm_tag_formats_version();
