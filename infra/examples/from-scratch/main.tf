# From an account with nothing in it to the first chart: a network, a database, the functions.

module "chart_discovery" {
  source = "../.."

  name = var.name
  instances = [{
    name      = "ecr"
    ecrEvents = { queueName = "charts", regionName = var.region }
  }]

  database = {
    url         = "postgres://${local.database_role}@${local.database}"
    resource_id = aws_db_instance.this.resource_id
  }
  database_role = local.database_role
  # The secret of RDS has no host.
  migrate_database = {
    secret_arn = aws_db_instance.this.master_user_secret[0].secret_arn
    url        = "postgres://${local.database}"
  }
  database_ca_file = "/opt/rds.pem"
  package_s3       = var.package_s3
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

data "aws_partition" "current" {}

locals {
  database      = "${aws_db_instance.this.address}:${aws_db_instance.this.port}/${aws_db_instance.this.db_name}"
  database_role = "chart_discovery"
}

output "admin_url" {
  description = "Address of the admin pages."
  value       = module.chart_discovery.admin_url
}

output "repository_host" {
  description = "The host of this account's ECR, to which charts are pushed."
  value       = "${data.aws_caller_identity.current.account_id}.dkr.ecr.${var.region}.${data.aws_partition.current.dns_suffix}"
}

output "function_names" {
  description = "Names of the functions, by their key."
  value       = module.chart_discovery.function_names
}
