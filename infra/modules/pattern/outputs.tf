output "event_pattern" {
  description = "The pattern of an EventBridge rule, as JSON: what changed in ECR, except for scans and failures."
  value       = local.pattern
}
