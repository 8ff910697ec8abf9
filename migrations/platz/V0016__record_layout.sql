INSERT INTO discovery_layout (layout, platz_schema) SELECT 'platz', max(version) FROM __diesel_schema_migrations;
