output "admin_url" {
  description = "Address of the admin pages."
  value       = module.chart_discovery.admin_url
}

output "dashboard_url" {
  description = "Address of the CloudWatch dashboard."
  value       = module.chart_discovery.dashboard_url
}
