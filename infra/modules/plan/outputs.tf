output "rules" {
  description = "EventBridge rules of the home region, by instance: name, ARN, event pattern as JSON, the queue they send to."
  value       = local.rules
}

output "forwards" {
  description = "Regions from which events are forwarded to the home region's event bus."
  value       = local.foreign_regions
}

output "event_bus" {
  description = "The home region's event bus: its ARN, and the accounts that must be let in."
  value = {
    arn      = "arn:${var.home.partition}:events:${var.home.region}:${var.home.account_id}:event-bus/default"
    accounts = local.foreign_accounts
  }
}

output "queues" {
  description = "Queues, by instance: name, ARN, visibility timeout in seconds, receives before a message is put aside, dead-letter queue."
  value       = local.queues
}

output "dead_letter_queues" {
  description = "Names of the dead-letter queues."
  value       = local.dead_letter_queues
}

output "hint_queues" {
  description = "The queue of hints, by its name, as in `queues`, with its address and its connection to `oci-poll`; empty without webhooks."
  value       = local.hint_queues
}

output "webhooks" {
  description = "The instances that take webhooks, whether `oci-events` has a Function URL, and the permissions to call it."
  value = {
    instances    = keys(local.webhooks)
    function_url = length(local.webhooks) > 0 && var.webhooks.function_url
    permissions  = local.webhook_permissions
  }

  # Lambda takes 4 KB for all variables of a function.
  precondition {
    condition     = length(jsonencode(local.webhooks)) <= 3072
    error_message = "instances[].oci.webhookSecretArn and webhookGoogle have more than 3 KB together, which is what a function's settings have room for. Use shorter names of secrets, or divide the instances into two installations with different `name`s."
  }
}

output "event_source_mappings" {
  description = "The connection of each queue to its function, by instance: batch size in messages, concurrency, response types."
  value       = local.event_source_mappings
}

output "schedules" {
  description = "Schedules, by name: expression, function, the exact input as JSON."
  value       = local.schedules

  # A merge keeps only one of two schedules of the same name.
  precondition {
    condition     = length(local.schedules) == length(local.polls) + length(local.parses) + sum(concat([0], [for instance in local.ecr : length(coalescelist(instance.accounts, [""]))]))
    error_message = "instances[].name: two instances would have a schedule of the same name, because one is named like the other one with an account id behind it."
  }
}

output "schedule_group" {
  description = "The group that the schedules are in, and the dead-letter queue that they share."
  value       = { name = local.schedule_group, dead_letter_queue = local.schedule_dead_letter_queue }
}

output "functions" {
  description = "Functions, by key: name, ARN, program, memory in MB, timeout in seconds, reserved concurrency, log group, environment, whether it runs in the VPC."
  value       = local.functions
}

output "migration" {
  description = "The payload of `migrate`. A role that logs in by IAM is made if it is not there."
  value = merge(
    { for role in var.database_role[*] : "grant" => role },
    { for role in var.database_role[*] : "login" => "iam" if var.database.secret_arn == null },
  )
}

output "tables" {
  description = "Names of the DynamoDB tables."
  value       = local.tables
}

output "admin" {
  description = "Whether there is a Function URL, its authorization, and the permissions to call it."
  value       = { function_url = var.admin.function_url, authorization = local.url_authorization, permissions = local.admin_permissions }
}

output "policies" {
  description = "Policy documents as JSON: `functions` by key, `more` that such a role needs beside it by key and number, `scheduler`, `queues` by ARN, `trust` by service."
  value = {
    functions = module.policies.functions
    more      = module.policies.more
    scheduler = module.policies.scheduler
    queues    = module.policies.queues
    trust     = { for service in ["lambda", "scheduler"] : service => module.policies.trust[service] }
  }
}

output "metrics" {
  description = "The metrics that the functions must emit: namespace, dimension, and each metric's name, unit and providers."
  value       = { namespace = local.namespace, dimension = "Instance", metrics = local.metrics }
}

output "alarms" {
  description = "Alarms, by key: metric, dimensions, statistic, period in seconds, threshold, what missing data means."
  value       = local.alarms
}

output "dashboard" {
  description = "The dashboard's body, as JSON."
  value       = local.dashboard
}
