# One ECR region and one registry, a database with a public address, the admin pages for one role.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.29"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

variable "database_secret_arn" {
  description = "ARN of the secret of the database user that the functions log in as."
  type        = string
}

variable "owner_secret_arn" {
  description = "ARN of the secret of the database user that owns the tables."
  type        = string
}

variable "admin_role_arn" {
  description = "ARN of the role that may open the admin pages and change things."
  type        = string
}

module "chart_discovery" {
  source = "../.."

  # As in the values of the Platz chart.
  instances = yamldecode(file("${path.module}/values.yaml")).chartDiscovery.instances

  database         = { secret_arn = var.database_secret_arn }
  database_role    = "chart_discovery"
  migrate_database = { secret_arn = var.owner_secret_arn }
  admin            = { principals = [var.admin_role_arn], site_admins = [var.admin_role_arn] }
}

output "admin_url" {
  description = "Address of the admin pages."
  value       = module.chart_discovery.admin_url
}
