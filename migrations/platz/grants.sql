-- What the functions' role needs in a database of Platz's beside the rights in both/grants.sql. It needs no right on
-- deployment_kinds: the view k8s_deployment_kinds writes with the rights of its owner.
GRANT EXECUTE ON FUNCTION plain_kind_name, predecessor_kind_name TO :"role";
-- A change of a kind that concerns deployments names them, and asks for a confirmation.
GRANT SELECT (name, kind_id, helm_chart_id) ON deployments TO :"role";
