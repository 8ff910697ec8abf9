module "chart_discovery" {
  source = "../.."

  instances = [
    # Follows this account's registry and the team's, in the home region.
    {
      name     = "home"
      provider = "ecr"
      ecrEvents = {
        queueName  = "charts-home"
        regionName = "eu-west-1"
        accounts   = [data.aws_caller_identity.current.account_id, var.team_account_id]
      }
    },
    # Follows another region. Terraform makes only a forwarding rule there.
    {
      name     = "america"
      provider = "ecr"
      ecrEvents = {
        queueName    = "charts-america"
        regionName   = "us-east-1"
        repositories = ["charts/**"]
        kindNaming   = "path"
      }
    },
    {
      name     = "harbor"
      provider = "oci"
      oci = {
        registryUrl          = "https://harbor.example.com"
        pollInterval         = "30s"
        credentialsSecretArn = var.harbor_secret_arn
        webhookSecretArn     = var.harbor_webhook_secret_arn
      }
    },
    {
      name     = "ghcr"
      provider = "oci"
      oci = {
        registryUrl  = "https://ghcr.io"
        pollInterval = "5m"
        repositories = ["my-org/charts/payments-api"]
      }
    },
  ]

  database         = { secret_arn = var.database_secret_arn }
  database_role    = "chart_discovery"
  migrate_database = { secret_arn = var.owner_secret_arn }
  database_ca_file = "/opt/rds.pem"
  layer_arns       = [aws_lambda_layer_version.database_ca.arn]

  vpc = {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.functions.id]
  }
  # Harbor is in this network.
  allowed_addresses = ["10.0.0.0/8"]

  admin = {
    auth            = "oidc"
    oidc_secret_arn = var.oidc_secret_arn
    site_admins     = ["group:platform"]
  }
  enable_tag_parser = true

  kms_keys = { logs = aws_kms_key.discovery.arn, queues = aws_kms_key.discovery.arn, table = aws_kms_key.discovery.arn }

  functions          = { ecr-events = { memory_size = 512 } }
  log_retention_days = 90
  alarm_topic_arn    = aws_sns_topic.alarms.arn
}

data "aws_caller_identity" "current" {}

resource "aws_lambda_layer_version" "database_ca" {
  layer_name       = "chart-discovery-database-ca"
  description      = "The certificates that RDS is checked against"
  filename         = var.database_ca_layer_zip
  source_code_hash = filebase64sha256(var.database_ca_layer_zip)
}
