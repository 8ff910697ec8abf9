# From an account with nothing in it to the first chart: a network, a database, its login, the functions.

module "chart_discovery" {
  source = "../.."

  name = var.name
  instances = [{
    name      = "ecr"
    ecrEvents = { queueName = "charts", regionName = var.region }
  }]

  database         = { secret_arn = aws_secretsmanager_secret_version.database.arn }
  migrate_database = { secret_arn = aws_secretsmanager_secret_version.database.arn }
  database_ca_file = "/opt/rds.pem"
  layer_arns       = [aws_lambda_layer_version.database_ca.arn]

  vpc = {
    subnet_ids         = [for subnet in aws_subnet.private : subnet.id]
    security_group_ids = [aws_security_group.functions.id]
  }

  admin = { principals = [var.admin_role_arn], site_admins = [var.admin_role_arn] }

  # The whole network comes first and goes last, because `migrate` runs during the apply. `home` is necessary with it.
  depends_on = [
    aws_route.nat,
    aws_route_table_association.private,
    aws_vpc_endpoint.gateway,
    aws_vpc_endpoint.interface,
    aws_vpc_security_group_egress_rule.database,
    aws_vpc_security_group_egress_rule.https,
    aws_vpc_security_group_ingress_rule.database,
    aws_vpc_security_group_ingress_rule.endpoints,
  ]
  home = { region = var.region, account_id = data.aws_caller_identity.current.account_id }
}

data "aws_caller_identity" "current" {}

output "admin_url" {
  description = "Address of the admin pages."
  value       = module.chart_discovery.admin_url
}

output "function_names" {
  description = "Names of the functions, by their key."
  value       = module.chart_discovery.function_names
}
