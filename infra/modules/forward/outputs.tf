output "rule_arns" {
  description = "ARNs of the rules, by region."
  value       = { for region, rule in aws_cloudwatch_event_rule.forward : region => rule.arn }
}

output "role_arn" {
  description = "ARN of the role that forwards."
  value       = aws_iam_role.forward.arn
}
