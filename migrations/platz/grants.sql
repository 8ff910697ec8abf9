-- What the functions' role needs in a database of Platz's beside the rights in both/grants.sql. It needs no right on
-- deployment_kinds: the view k8s_deployment_kinds writes with the rights of its owner.
GRANT EXECUTE ON FUNCTION plain_kind_name, predecessor_kind_name TO :"role";
