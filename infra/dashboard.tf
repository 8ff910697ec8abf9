resource "aws_cloudwatch_dashboard" "discovery" {
  dashboard_name = var.name
  dashboard_body = module.plan.dashboard
}
