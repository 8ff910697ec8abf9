data "aws_caller_identity" "current" {}

# Only the events of the region itself, so that events which were forwarded to its bus do not travel on.
module "pattern" {
  source   = "../pattern"
  for_each = var.regions

  regions            = [each.key]
  filter_media_types = var.filter_media_types
}

module "policies" {
  source = "../policies"

  account_id = data.aws_caller_identity.current.account_id
  forward = {
    rule_arns     = [for rule in aws_cloudwatch_event_rule.forward : rule.arn]
    event_bus_arn = var.event_bus_arn
  }
}

resource "aws_iam_role" "forward" {
  name                 = "${var.name}-forward"
  description          = "Forwards ECR events to ${var.event_bus_arn}"
  assume_role_policy   = module.policies.trust.events
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "forward" {
  name   = "what-it-calls"
  role   = aws_iam_role.forward.id
  policy = module.policies.forward
}

resource "aws_cloudwatch_event_rule" "forward" {
  for_each = var.regions

  region        = each.key
  name          = "${var.name}-forward"
  description   = "Forwards ECR events to ${var.event_bus_arn}"
  event_pattern = module.pattern[each.key].event_pattern
  tags          = var.tags
}

# There is no dead-letter queue, because each region would need one. EventBridge retries for a day, and the repair finds
# the changes of events that it could not deliver.
resource "aws_cloudwatch_event_target" "forward" {
  for_each = var.regions

  region    = each.key
  rule      = aws_cloudwatch_event_rule.forward[each.key].name
  target_id = "home"
  arn       = var.event_bus_arn
  role_arn  = aws_iam_role.forward.arn

  depends_on = [aws_iam_role_policy.forward]
}
