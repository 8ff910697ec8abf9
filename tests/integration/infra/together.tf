# Everything that the module is given is made in the same apply, so that the plan knows no ARN and no id.

provider "aws" {
  region = "us-east-1"
}

resource "aws_secretsmanager_secret" "database" {
  for_each = toset(["app", "owner", "oidc", "registry", "webhook"])

  name = "chart-discovery-${each.key}"
}

resource "aws_sns_topic" "alarms" {
  name = "alarms"
}

resource "aws_iam_role" "platform" {
  name               = "platform"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_kms_key" "secrets" {
  description = "Secrets, logs, queues, cursors"
}

resource "aws_security_group" "functions" {
  name = "functions"
}

module "chart_discovery" {
  source = "../.."

  instances = [
    { name = "prod-ecr", provider = "ecr", ecrEvents = { queueName = "charts", regionName = "us-east-1" } },
    { name = "abroad", provider = "ecr", ecrEvents = { queueName = "abroad", regionName = "eu-west-1", accounts = ["210987654321"] } },
    { name = "mirror", provider = "oci", oci = { registryUrl = "https://ghcr.io", credentialsSecretArn = aws_secretsmanager_secret.database["registry"].arn, webhookSecretArn = aws_secretsmanager_secret.database["webhook"].arn } },
    { name = "google", oci = { registryUrl = "https://europe-docker.pkg.dev", webhookGoogle = { audience = "https://hooks.example.com", email = "push@example.com" } } },
  ]
  database         = { secret_arn = aws_secretsmanager_secret.database["app"].arn }
  database_role    = "chart_discovery"
  migrate_database = { secret_arn = aws_secretsmanager_secret.database["owner"].arn }
  secret_key_arns  = [aws_kms_key.secrets.arn]
  kms_keys         = { logs = aws_kms_key.secrets.arn, queues = aws_kms_key.secrets.arn, table = aws_kms_key.secrets.arn }
  alarm_topic_arn  = aws_sns_topic.alarms.arn
  admin            = { principals = [aws_iam_role.platform.arn], site_admins = [aws_iam_role.platform.arn] }
  vpc              = { subnet_ids = ["subnet-0123456789abcdef0"], security_group_ids = [aws_security_group.functions.id], ipv6 = true }
}
