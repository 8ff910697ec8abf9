resource "aws_scheduler_schedule_group" "schedules" {
  name = module.plan.schedule_group.name
  tags = var.tags
}

resource "aws_scheduler_schedule" "schedule" {
  #checkov:skip=CKV_AWS_297:inputs hold addresses and names of secrets, no secrets; AWS's own key encrypts them
  for_each = module.plan.schedules

  name                = each.key
  group_name          = aws_scheduler_schedule_group.schedules.name
  description         = each.value.description
  schedule_expression = each.value.expression

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.function[each.value.function].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = each.value.input

    # No retries, because the next invocation does the work that this one did not.
    retry_policy {
      maximum_retry_attempts = 0
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters[module.plan.schedule_group.dead_letter_queue].arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler, aws_lambda_function_event_invoke_config.scheduled]
}

# Without this, Lambda would retry a failed invocation while the next one runs.
resource "aws_lambda_function_event_invoke_config" "scheduled" {
  for_each = toset([for schedule in module.plan.schedules : schedule.function])

  function_name                = aws_lambda_function.function[each.key].function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
