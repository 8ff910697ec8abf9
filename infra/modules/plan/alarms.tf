locals {
  # The defaults of an alarm: one period of five minutes, and missing data is no problem.
  usual = {
    statistic           = "Sum"
    period              = 300
    evaluation_periods  = 1
    datapoints_to_alarm = 1
    threshold           = 0
    treat_missing_data  = "notBreaching"
  }

  dead_letter_alarms = {
    for queue in local.dead_letter_queues : "dead-letters-${queue}" => merge(local.usual, {
      description = "Messages in ${queue}: look at one, mend what is wrong, redrive them"
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = queue }
      statistic   = "Maximum"
    })
  }
  age_alarms = {
    for queue in local.queues : "age-${queue.name}" => merge(local.usual, {
      description = "A message in ${queue.name} has waited for more than ${var.oldest_message_age} s: the function is behind or fails"
      namespace   = "AWS/SQS"
      metric_name = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = queue.name }
      statistic   = "Maximum"
      threshold   = var.oldest_message_age
    })
  }

  # The next invocation makes up for a failed one. Only migrate and admin are not repeated, so their alarm is immediate.
  patience = { for key, function in local.functions : key => contains(["migrate", "admin"], function.program) ? 1 : 3 }
  error_alarms = {
    for key, function in local.functions : "errors-${key}" => merge(local.usual, {
      description         = "${function.name} fails"
      namespace           = "AWS/Lambda"
      metric_name         = "Errors"
      dimensions          = { FunctionName = function.name }
      evaluation_periods  = local.patience[key]
      datapoints_to_alarm = min(2, local.patience[key])
    })
  }
  throttle_alarms = {
    for key, function in local.functions : "throttles-${key}" => merge(local.usual, {
      description = "${function.name} is refused for want of concurrency"
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions  = { FunctionName = function.name }
    })
  }
  # A long scan, a repair or a parse of everything uses its time to the end on purpose, and goes on in the next
  # invocation: only one after the other for a quarter of an hour is news.
  duration_alarms = {
    for key, function in local.functions : "duration-${key}" => merge(local.usual, {
      description         = "${function.name} comes near its timeout of ${function.timeout} s"
      namespace           = "AWS/Lambda"
      metric_name         = "Duration"
      dimensions          = { FunctionName = function.name }
      statistic           = "Maximum"
      evaluation_periods  = local.patience[key]
      datapoints_to_alarm = local.patience[key]
      threshold           = 800 * function.timeout
    })
  }

  # The schedule begins an invocation once a minute, so a shorter interval cannot be told from a minute. The period is as
  # long as the lag that is too much: where no pass tells its lag for that long, there is none.
  lag_limits = { for name, instance in local.oci : name => 3 * max(60, 60 * ceil(instance.interval / 60)) }
  lag_alarms = {
    for name, instance in local.oci : "lag-${name}" => merge(local.usual, {
      description        = "${name} was not polled for ${local.lag_limits[name]} s, three intervals"
      namespace          = local.namespace
      metric_name        = "PollLag"
      dimensions         = { Instance = name }
      statistic          = "Maximum"
      period             = min(local.lag_limits[name], 86400)
      threshold          = local.lag_limits[name]
      treat_missing_data = "breaching"
    })
  }
  held_alarms = {
    for name, instance in local.oci : "held-${name}" => merge(local.usual, {
      description = "Charts of ${name} are missing in a mass and held back: deleted on purpose, or is the registry ill?"
      namespace   = local.namespace
      metric_name = "HeldBack"
      dimensions  = { Instance = name }
      statistic   = "Maximum"
    })
  }
  repair_alarms = {
    for name, instance in local.ecr : "repair-${name}" => merge(local.usual, {
      description = "The repair of ${name} found what no event had told of: events were lost, or kept out by the filter"
      namespace   = local.namespace
      metric_name = "RepairFound"
      dimensions  = { Instance = name }
    })
  }
  broken_alarms = {
    for name in concat(keys(local.ecr), keys(local.oci)) : "broken-${name}" => merge(local.usual, {
      description = "A chart was pushed to ${name} that cannot be used: the admin page says why"
      namespace   = local.namespace
      metric_name = "ChartsBroken"
      dimensions  = { Instance = name }
    })
  }

  alarms = merge(
    local.dead_letter_alarms, local.age_alarms, local.error_alarms, local.throttle_alarms, local.duration_alarms,
    local.lag_alarms, local.held_alarms, local.repair_alarms, local.broken_alarms,
  )
}
