locals {
  # What an instance's webhooks must prove. `oci-events` reads it from one variable.
  webhooks = {
    for name, instance in local.oci : name => merge(
      { for arn in instance.webhook_secret_arns : "secretArn" => arn },
      { for google in instance.webhook_google : "google" => google },
    ) if length(instance.webhook_secret_arns) + length(instance.webhook_google) > 0
  }

  # The hints of all instances share a queue, because they are all looked at by one function.
  hint_queues = {
    for name in length(local.webhooks) > 0 ? ["${var.name}-hints"] : [] : name => {
      name                       = name
      arn                        = "${local.queue_arn}:${name}"
      url                        = "https://sqs.${var.home.region}.${var.home.dns_suffix}/${var.home.account_id}/${name}"
      visibility_timeout_seconds = 6 * local.settings["oci-poll"].timeout
      max_receive_count          = 5
      dead_letter_queue          = "${name}-dlq"
      dead_letter_queue_arn      = "${local.queue_arn}:${name}-dlq"
      batch_size                 = var.batch_size
      maximum_concurrency        = var.maximum_concurrency
      function_response_types    = ["ReportBatchItemFailures"]
    }
  }

  # Senders cannot sign for IAM, so the program itself checks every request.
  webhook_permissions = {
    for action, condition in {
      InvokeFunctionUrl = { function_url_auth_type = "NONE", invoked_via_function_url = null }
      InvokeFunction    = { function_url_auth_type = null, invoked_via_function_url = true }
    } : action => merge(condition, { action = "lambda:${action}", principal = "*" })
    if length(local.webhooks) > 0 && var.webhooks.function_url
  }
}
