output "functions" {
  description = "The policy of each function's role, as JSON, by the function's key. A statement that would have no resource is left out."
  value       = local.functions
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
