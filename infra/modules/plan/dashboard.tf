locals {
  names = { ecr = keys(local.ecr), oci = keys(local.oci) }
  # One graph per metric of the functions, with one line per instance that emits it.
  metric_graphs = [
    for metric, about in local.metrics : {
      title   = "${metric}: ${about.description}"
      stat    = about.unit == "Count" && metric != "HeldBack" ? "Sum" : "Maximum"
      metrics = [for name in flatten([for provider in about.providers : local.names[provider]]) : [local.namespace, metric, "Instance", name]]
    }
  ]
  other_graphs = [
    {
      title   = "Age of the oldest message, seconds"
      stat    = "Maximum"
      metrics = [for queue in concat(values(local.queues), values(local.hint_queues)) : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue.name]]
    },
    {
      title   = "Dead letters"
      stat    = "Maximum"
      metrics = [for queue in local.dead_letter_queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue]]
    },
    {
      title = "Webhooks: all, refused, failed"
      stat  = "Sum"
      metrics = [
        for pair in setproduct([for function in local.functions : function.name if function.program == "oci-events"], ["UrlRequestCount", "Url4xxCount", "Url5xxCount"]) :
        ["AWS/Lambda", pair[1], "FunctionName", pair[0]]
      ]
    },
    {
      title   = "Errors of functions"
      stat    = "Sum"
      metrics = [for function in local.functions : ["AWS/Lambda", "Errors", "FunctionName", function.name]]
    },
    {
      title   = "Duration of functions, milliseconds"
      stat    = "Maximum"
      metrics = [for function in local.functions : ["AWS/Lambda", "Duration", "FunctionName", function.name]]
    },
  ]
  graphs = [for graph in concat(local.metric_graphs, local.other_graphs) : graph if length(graph.metrics) > 0]

  dashboard = jsonencode({
    widgets = concat(
      # A widget shows at most a hundred alarms.
      [{
        type = "alarm", x = 0, y = 0, width = 24, height = 4
        properties = {
          title  = "Alarms"
          alarms = [for key in slice(keys(local.alarms), 0, min(100, length(local.alarms))) : "arn:${var.home.partition}:cloudwatch:${var.home.region}:${var.home.account_id}:alarm:${var.name}-${key}"]
        }
      }],
      [
        for at, graph in local.graphs : {
          type       = "metric", x = 8 * (at % 3), y = 4 + 6 * floor(at / 3), width = 8, height = 6
          properties = merge(graph, { region = var.home.region, view = "timeSeries", period = 300 })
        }
      ],
    )
  })
}
