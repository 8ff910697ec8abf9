# The team's account: its events come to the home region's event bus, and the functions may read its charts.

module "forward" {
  source = "../../modules/forward"
  providers = {
    aws = aws.team
  }

  name          = "chart-discovery"
  regions       = ["eu-west-1"]
  event_bus_arn = module.chart_discovery.event_bus_arn
}

resource "aws_ecr_repository_policy" "charts" {
  provider = aws.team
  for_each = toset(["charts/payments-api", "charts/orders"])

  repository = each.key
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ChartDiscoveryReads"
      Effect    = "Allow"
      Principal = { AWS = module.chart_discovery.function_role_arns["ecr-events-home"] }
      Action = [
        "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:ListImages",
      ]
    }]
  })
}
