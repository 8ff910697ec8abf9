locals {
  package_dir = coalesce(var.package_dir, "${path.module}/../target/lambda")
  from_s3     = var.package_s3 != null
  # Where each function's package is. A plan and a destroy need no package on this disk: without one, the hash is that of
  # the last apply.
  packages = {
    for key, function in module.plan.functions : key => {
      file = local.from_s3 ? null : "${local.package_dir}/${function.program}/bootstrap.zip"
      key  = local.from_s3 ? "${try(coalesce(var.package_s3.prefix), "")}${function.program}.zip" : null
    }
  }
  hashes = {
    for key, package in local.packages : key => try(filebase64sha256(package.file), null)
  }
}

# `migrate` is separate, because the other functions wait until it has run.
resource "aws_lambda_function" "migrate" {
  #checkov:skip=CKV_AWS_50:nothing in the functions writes traces; their log lines carry the durations
  #checkov:skip=CKV_AWS_115:it runs at deployments, one at a time; `functions` may limit it
  #checkov:skip=CKV_AWS_116:it is invoked synchronously: the deployment shows the error
  #checkov:skip=CKV_AWS_173:the environment holds no secret: secrets by their ARN, addresses without a password
  #checkov:skip=CKV_AWS_272:the deployer builds the packages
  function_name    = module.plan.functions["migrate"].name
  description      = "Brings the schema of the chart discovery database up to date"
  role             = aws_iam_role.function["migrate"].arn
  filename         = local.packages["migrate"].file
  s3_bucket        = one(var.package_s3[*].bucket)
  s3_key           = local.packages["migrate"].key
  source_code_hash = local.hashes["migrate"]
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  layers           = var.layer_arns
  memory_size      = module.plan.functions["migrate"].memory_size
  timeout          = module.plan.functions["migrate"].timeout
  tags             = var.tags

  reserved_concurrent_executions = coalesce(module.plan.functions["migrate"].reserved_concurrency, -1)

  environment {
    variables = module.plan.functions["migrate"].environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function["migrate"].name
    # Only RUST_LOG filters the log, so Lambda's own filter is open.
    application_log_level = "TRACE"
    system_log_level      = "INFO"
  }

  dynamic "vpc_config" {
    for_each = var.vpc[*]
    content {
      subnet_ids                  = vpc_config.value.subnet_ids
      security_group_ids          = vpc_config.value.security_group_ids
      ipv6_allowed_for_dual_stack = vpc_config.value.ipv6
    }
  }

  depends_on = [aws_iam_role_policy.function, aws_iam_role_policy_attachment.function]
}

# Runs before the other functions change, because old functions work on the new schema, but new ones not on the old one.
resource "aws_lambda_invocation" "migrate" {
  function_name = aws_lambda_function.migrate.function_name
  input         = jsonencode(module.plan.migration)
  triggers = {
    code     = local.from_s3 ? local.packages["migrate"].key : aws_lambda_function.migrate.source_code_hash
    database = jsonencode(var.migrate_database)
  }
}

resource "aws_lambda_function" "function" {
  #checkov:skip=CKV_AWS_50:nothing in the functions writes traces; their log lines carry the durations
  #checkov:skip=CKV_AWS_116:what fails comes again from the queue or with the next schedule; a dead letter would be redone twice
  #checkov:skip=CKV_AWS_173:the environment holds no secret: secrets by their ARN, addresses without a password
  #checkov:skip=CKV_AWS_272:the deployer builds the packages
  for_each = { for key, function in module.plan.functions : key => function if key != "migrate" }

  function_name                  = each.value.name
  description                    = "Chart discovery: ${each.value.program}"
  role                           = aws_iam_role.function[each.key].arn
  filename                       = local.packages[each.key].file
  s3_bucket                      = one(var.package_s3[*].bucket)
  s3_key                         = local.packages[each.key].key
  source_code_hash               = local.hashes[each.key]
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  layers                         = var.layer_arns
  memory_size                    = each.value.memory_size
  timeout                        = each.value.timeout
  reserved_concurrent_executions = coalesce(each.value.reserved_concurrency, -1)
  tags                           = var.tags

  environment {
    variables = each.value.environment
  }

  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.function[each.key].name
    application_log_level = "TRACE"
    system_log_level      = "INFO"
  }

  dynamic "vpc_config" {
    for_each = each.value.in_vpc ? var.vpc[*] : []
    content {
      subnet_ids                  = vpc_config.value.subnet_ids
      security_group_ids          = vpc_config.value.security_group_ids
      ipv6_allowed_for_dual_stack = vpc_config.value.ipv6
    }
  }

  depends_on = [aws_iam_role_policy.function, aws_iam_role_policy_attachment.function, aws_lambda_invocation.migrate]
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:log lines carry no secret; CloudWatch encrypts them with its own key, or `kms_keys` names one
  #checkov:skip=CKV_AWS_338:`log_retention_days` decides; what must be kept is in the database
  for_each = module.plan.functions

  name              = each.value.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_keys.logs
  tags              = var.tags
}
