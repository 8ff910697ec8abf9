output "function_names" {
  description = "Names of the functions, by their key: `migrate`, `admin`, `oci-poll`, `oci-events`, `tag-parser`, `ecr-events-<instance>`."
  value       = { for key, function in module.plan.functions : key => function.name }

  depends_on = [aws_lambda_function.function, aws_lambda_function.migrate]
}

output "queue_urls" {
  description = "URLs of the queues, by instance."
  value       = { for name, queue in module.plan.queues : name => aws_sqs_queue.events[queue.name].url }
}

output "dead_letter_queue_urls" {
  description = "URLs of the dead-letter queues, by their name."
  value       = { for name, queue in aws_sqs_queue.dead_letters : name => queue.url }
}

output "admin_url" {
  description = "Address of the admin pages: `public_url`, or the Function URL; null without both. With `oidc` the provider must allow this followed by `admin/login/callback`."
  value       = var.public_url != null ? var.public_url : one(aws_lambda_function_url.admin[*].function_url)
}

output "dashboard_url" {
  description = "Address of the CloudWatch dashboard."
  value       = "https://${local.home.region}.${local.console}/cloudwatch/home?region=${local.home.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.discovery.dashboard_name}"
}

output "cursor_table_name" {
  description = "Name of the DynamoDB table with the pollers' cursors; null without an oci instance."
  value       = one([for table in aws_dynamodb_table.cursor : table.name])
}

output "event_bus_arn" {
  description = "ARN of the event bus that other accounts forward to, for `modules/forward`."
  value       = module.plan.event_bus.arn

  # Another account may not forward to the bus before it is let in.
  depends_on = [aws_cloudwatch_event_permission.account]
}

output "schema_version" {
  description = "The answer of `migrate`: the migrations that it applied, and the newest one in the database."
  value       = jsondecode(aws_lambda_invocation.migrate.result)
}

output "function_role_arns" {
  description = "ARNs of the functions' roles, by the functions' keys: for the repository policies of another account."
  value       = { for key, role in aws_iam_role.function : key => role.arn }
}
