output "event_pattern" {
  description = "The pattern of an EventBridge rule, as JSON: pushes, deletions and replications in ECR that succeeded."
  value       = jsonencode(local.pattern)
}
