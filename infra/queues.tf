locals {
  # By the name of the queue, so that a queue outlives a new name of its instance.
  queues = merge({ for queue in module.plan.queues : queue.name => queue }, module.plan.hint_queues)
}

resource "aws_sqs_queue" "events" {
  for_each = local.queues

  name                       = each.value.name
  visibility_timeout_seconds = each.value.visibility_timeout_seconds
  message_retention_seconds  = 86400 * var.queue_retention_days
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = var.kms_keys.queues == null ? true : null
  kms_master_key_id          = var.kms_keys.queues
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[each.value.dead_letter_queue].arn
    maxReceiveCount     = each.value.max_receive_count
  })
  tags = var.tags
}

resource "aws_sqs_queue" "dead_letters" {
  for_each = module.plan.dead_letter_queues

  name                      = each.key
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_keys.queues == null ? true : null
  kms_master_key_id         = var.kms_keys.queues
  tags                      = var.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  for_each = local.queues

  queue_url = aws_sqs_queue.dead_letters[each.value.dead_letter_queue].url
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events[each.key].arn]
  })
}

resource "aws_sqs_queue_policy" "events" {
  for_each = local.queues

  queue_url = aws_sqs_queue.events[each.key].url
  policy    = module.plan.policies.queues[each.value.arn]
}

resource "aws_sqs_queue_policy" "dead_letters" {
  for_each = local.queues

  queue_url = aws_sqs_queue.dead_letters[each.value.dead_letter_queue].url
  policy    = module.plan.policies.queues[each.value.dead_letter_queue_arn]
}

resource "aws_lambda_event_source_mapping" "events" {
  for_each = module.plan.event_source_mappings

  event_source_arn        = aws_sqs_queue.events[module.plan.queues[each.value.queue].name].arn
  function_name           = aws_lambda_function.function[each.value.function].arn
  batch_size              = each.value.batch_size
  function_response_types = each.value.function_response_types
  tags                    = var.tags

  # Without it, Lambda keeps receiving messages for which it cannot invoke the function, until they are dead letters.
  scaling_config {
    maximum_concurrency = each.value.maximum_concurrency
  }
}
