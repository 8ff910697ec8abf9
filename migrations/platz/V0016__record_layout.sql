INSERT INTO discovery_layout (layout, platz_schema, ecr_imports)
SELECT 'platz', max(version), '[]' FROM __diesel_schema_migrations;
