output "admin_url" {
  description = "Address of the admin pages."
  value       = module.chart_discovery.admin_url
}

output "webhook_urls" {
  description = "Addresses for webhooks, by instance."
  value       = module.chart_discovery.webhook_urls
}

output "dashboard_url" {
  description = "Address of the CloudWatch dashboard."
  value       = module.chart_discovery.dashboard_url
}
