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
