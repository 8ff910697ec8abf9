output "functions" {
  description = "The policy of each function's role, as JSON, by the function's key. A statement that would have no resource is left out."
  value       = local.functions

  # IAM takes 10,240 characters in the inline policies of a role, and would refuse more in the middle of an apply.
  precondition {
    condition     = alltrue([for policy in local.functions : length(policy) <= 10240])
    error_message = "instances: the policy of a function has more than 10,240 characters, which IAM refuses: ${join(", ", [for key, policy in local.functions : key if length(policy) > 10240])}. Divide the instances into two installations with different `name`s."
  }
}

output "more" {
  description = "Further policies of each function's role, as JSON, by the function's key. Each is for a managed policy, because the inline policies of a role have one limit together."
  value       = local.more

  # IAM takes 6,144 characters in a managed policy, and ten of them at a role.
  precondition {
    condition     = alltrue([for policies in local.more : length(policies) <= 10 && alltrue([for policy in policies : length(policy) <= 6144])])
    error_message = "instances: a role would need more than ten further policies, or one of more than 6,144 characters, which IAM refuses: ${join(", ", [for key, policies in local.more : key if length(policies) > 10 || anytrue([for policy in policies : length(policy) > 6144])])}. Divide the instances into two installations with different `name`s."
  }
}

output "scheduler" {
  description = "The policy of the schedules' role, as JSON; null without schedules."
  value       = local.scheduler
}

output "queues" {
  description = "The resource policy of each queue and dead-letter queue, as JSON, by the queue's ARN."
  value       = local.queues
}

output "forward" {
  description = "The policy of the role that forwards events to another bus, as JSON; null without a bus."
  value       = local.forward
}

output "trust" {
  description = "The trust policies, as JSON: `lambda` for the functions, `scheduler` for the schedules, `events` for the rules that forward events."
  value       = local.trust
}
