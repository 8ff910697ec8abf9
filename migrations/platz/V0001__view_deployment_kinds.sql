-- The name that our statements know. The table keeps its own, because its trigger sends the table's name to Platz's API,
-- which exits when a notification names a table that it does not know. Writes pass through the view to the table.
CREATE VIEW k8s_deployment_kinds AS SELECT id, created_at, name FROM deployment_kinds;

COMMENT ON VIEW k8s_deployment_kinds IS 'Platz''s deployment_kinds.';
