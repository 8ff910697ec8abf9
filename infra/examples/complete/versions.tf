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
  region = "eu-west-1"

  default_tags {
    tags = { service = "chart-discovery" }
  }
}

# The account whose charts are in its own registry.
provider "aws" {
  alias  = "team"
  region = "eu-west-1"

  assume_role {
    role_arn = var.team_role_arn
  }
}
