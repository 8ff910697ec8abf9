resource "aws_iam_role" "function" {
  for_each = module.plan.functions

  name                 = each.value.name
  description          = "The Lambda function ${each.value.name}, and nothing else"
  assume_role_policy   = module.plan.policies.trust.lambda
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "function" {
  for_each = module.plan.functions

  name   = "what-it-calls"
  role   = aws_iam_role.function[each.key].id
  policy = module.plan.policies.functions[each.key]
}

# What does not fit into the inline policy, which is the case with some dozens of instances.
locals {
  more_policies = merge([
    for key, policies in module.plan.policies.more : { for at, policy in policies : "${key}-${at + 2}" => { role = key, policy = policy } }
  ]...)
}

resource "aws_iam_policy" "function" {
  for_each = local.more_policies

  name        = "${var.name}-${each.key}"
  description = "The Lambda function ${module.plan.functions[each.value.role].name}: what its inline policy has no room for"
  policy      = each.value.policy
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "function" {
  for_each = local.more_policies

  role       = aws_iam_role.function[each.value.role].name
  policy_arn = aws_iam_policy.function[each.key].arn
}

resource "aws_iam_role" "scheduler" {
  name                 = "${var.name}-scheduler"
  description          = "The schedules of ${var.name}"
  assume_role_policy   = module.plan.policies.trust.scheduler
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "what-it-calls"
  role   = aws_iam_role.scheduler.id
  policy = module.plan.policies.scheduler
}
