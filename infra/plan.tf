data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

# That module makes all decisions, without a provider. The rest of this folder only turns them into resources.
module "plan" {
  source = "./modules/plan"

  name = var.name
  home = {
    partition  = data.aws_partition.current.partition
    region     = data.aws_region.current.region
    account_id = data.aws_caller_identity.current.account_id
  }
  instances           = var.instances
  filter_media_types  = var.filter_media_types
  enable_tag_parser   = var.enable_tag_parser
  database            = var.database
  migrate_database    = var.migrate_database
  database_ca_file    = var.database_ca_file
  secret_key_arns     = var.secret_key_arns
  allowed_addresses   = var.allowed_addresses
  admin               = var.admin
  functions           = var.functions
  in_vpc              = var.vpc != null
  rust_log            = var.rust_log
  maximum_concurrency = var.maximum_concurrency
  batch_size          = var.batch_size
  oldest_message_age  = var.oldest_message_age
}
