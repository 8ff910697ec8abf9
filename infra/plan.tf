data "aws_partition" "current" {}

# With `depends_on` on the module, Terraform reads these while it applies. Then a plan cannot tell which regions and
# accounts are foreign, so `home` can say it.
data "aws_caller_identity" "current" {
  count = var.home == null ? 1 : 0
}

data "aws_region" "current" {
  count = var.home == null ? 1 : 0
}

locals {
  home = {
    region     = var.home == null ? one(data.aws_region.current[*].region) : var.home.region
    account_id = var.home == null ? one(data.aws_caller_identity.current[*].account_id) : var.home.account_id
  }
}

# That module makes all decisions, without a provider. The rest of this folder only turns them into resources.
locals {
  consoles = { aws = "console.aws.amazon.com", aws-cn = "console.amazonaws.cn", aws-us-gov = "console.amazonaws-us-gov.com" }
  console  = lookup(local.consoles, data.aws_partition.current.partition, local.consoles.aws)
}

module "plan" {
  source = "./modules/plan"

  name = var.name
  home = {
    partition  = data.aws_partition.current.partition
    dns_suffix = data.aws_partition.current.dns_suffix
    region     = local.home.region
    account_id = local.home.account_id
  }
  instances           = var.instances
  queue_name_exact    = var.queue_name_exact
  filter_media_types  = var.filter_media_types
  enable_tag_parser   = var.enable_tag_parser
  database            = var.database
  migrate_database    = var.migrate_database
  database_role       = var.database_role
  database_ca_file    = var.database_ca_file
  secret_key_arns     = var.secret_key_arns
  kms_keys            = { queues = var.kms_keys.queues, table = var.kms_keys.table }
  allowed_addresses   = var.allowed_addresses
  admin               = var.admin
  public_url          = var.public_url
  webhooks            = { function_url = var.webhooks.function_url }
  functions           = var.functions
  in_vpc              = var.vpc != null
  rust_log            = var.rust_log
  maximum_concurrency = var.maximum_concurrency
  batch_size          = var.batch_size
  oldest_message_age  = var.oldest_message_age
}
