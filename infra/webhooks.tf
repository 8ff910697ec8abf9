# `oci-events` takes webhooks at its own address. Its hints go to `oci-poll` through a queue.

resource "aws_lambda_function_url" "oci_events" {
  #checkov:skip=CKV_AWS_258:senders of webhooks cannot sign for IAM; the program checks the proof of every request
  count = module.plan.webhooks.function_url ? 1 : 0

  function_name      = aws_lambda_function.function["oci-events"].function_name
  authorization_type = "NONE"
}

resource "aws_lambda_permission" "oci_events" {
  #checkov:skip=CKV_AWS_301:senders of webhooks cannot sign for IAM; the program checks the proof of every request
  #checkov:skip=CKV_AWS_364:there is no source to name
  for_each = module.plan.webhooks.permissions

  statement_id             = "${var.name}-${each.key}"
  function_name            = aws_lambda_function.function["oci-events"].function_name
  action                   = each.value.action
  principal                = each.value.principal
  function_url_auth_type   = each.value.function_url_auth_type
  invoked_via_function_url = each.value.invoked_via_function_url
}

resource "aws_lambda_event_source_mapping" "hints" {
  for_each = module.plan.hint_queues

  event_source_arn        = aws_sqs_queue.events[each.key].arn
  function_name           = aws_lambda_function.function["oci-poll"].arn
  batch_size              = each.value.batch_size
  function_response_types = each.value.function_response_types
  tags                    = var.tags

  scaling_config {
    maximum_concurrency = each.value.maximum_concurrency
  }
}

locals {
  webhook_base = var.webhooks.public_url != null ? var.webhooks.public_url : one(aws_lambda_function_url.oci_events[*].function_url)
}

output "webhook_urls" {
  description = "The address for the webhooks of each instance that has `webhookSecretArn` or `webhookGoogle`, by instance; empty without an address."
  value = {
    for name in module.plan.webhooks.instances : name => "${trimsuffix(local.webhook_base, "/")}/${name}"
    if module.plan.webhooks.function_url || var.webhooks.public_url != null
  }
}
