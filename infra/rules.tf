resource "aws_cloudwatch_event_rule" "ecr" {
  for_each = module.plan.rules

  name          = each.value.name
  description   = "ECR events of the discovery instance ${each.key}"
  event_pattern = each.value.event_pattern
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each = module.plan.rules

  rule      = aws_cloudwatch_event_rule.ecr[each.key].name
  target_id = "queue"
  arn       = aws_sqs_queue.events[module.plan.queues[each.value.queue].name].arn

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters[module.plan.queues[each.value.queue].dead_letter_queue].arn
  }

  depends_on = [aws_sqs_queue_policy.events, aws_sqs_queue_policy.dead_letters]
}

# A rule can send only to queues in its own region. Other regions forward their events to this region's event bus.
module "forward" {
  source = "./modules/forward"
  count  = length(module.plan.forwards) > 0 ? 1 : 0

  name                 = var.name
  regions              = module.plan.forwards
  event_bus_arn        = module.plan.event_bus.arn
  filter_media_types   = var.filter_media_types
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

# One statement per account, so that other statements in the bus's policy stay. The rules select the events.
resource "aws_cloudwatch_event_permission" "account" {
  for_each = module.plan.event_bus.accounts

  statement_id = "${var.name}-${each.key}"
  principal    = each.key
  action       = "events:PutEvents"
}
