module "pattern" {
  source   = "../pattern"
  for_each = local.ecr

  regions            = [each.value.region]
  accounts           = local.accounts[each.key]
  repositories       = each.value.repositories
  filter_media_types = var.filter_media_types
}

locals {
  # All rules are in the home region, because events of other regions and accounts are forwarded to its event bus.
  rules = {
    for name, instance in local.ecr : name => {
      name          = "${var.name}-${name}"
      arn           = "arn:${var.home.partition}:events:${var.home.region}:${var.home.account_id}:rule/${var.name}-${name}"
      event_pattern = module.pattern[name].event_pattern
      queue         = name
    }
  }

  queues = {
    for name, instance in local.ecr : name => {
      name                       = instance.queue_name
      arn                        = "${local.queue_arn}:${instance.queue_name}"
      visibility_timeout_seconds = 6 * local.settings["ecr-events"].timeout
      max_receive_count          = 5
      dead_letter_queue          = "${instance.queue_name}-dlq"
      dead_letter_queue_arn      = "${local.queue_arn}:${instance.queue_name}-dlq"
    }
  }
  schedule_dead_letter_queue = "${var.name}-schedules-dlq"
  dead_letter_queues = toset(concat(
    [for queue in concat(values(local.queues), values(local.hint_queues)) : queue.dead_letter_queue], [local.schedule_dead_letter_queue],
  ))
  queue_arn = "arn:${var.home.partition}:sqs:${var.home.region}:${var.home.account_id}"

  event_source_mappings = {
    for name, instance in local.ecr : name => {
      queue                   = name
      function                = "ecr-events-${name}"
      batch_size              = var.batch_size
      maximum_concurrency     = var.maximum_concurrency
      function_response_types = ["ReportBatchItemFailures"]
    }
  }
}
