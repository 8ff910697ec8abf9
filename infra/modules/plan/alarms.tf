locals {
  # The defaults of an alarm: one period of five minutes, and missing data raises no alarm.
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
    for queue in concat(values(local.queues), values(local.hint_queues)) : "age-${queue.name}" => merge(local.usual, {
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
      description = "${function.name} is throttled: the account or the function has no concurrency left"
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions  = { FunctionName = function.name }
    })
  }
  # A long scan, a repair or a full parse uses its whole timeout on purpose, and the next invocation resumes it. So the
  # alarm waits until this happens for a quarter of an hour.
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

  # A webhook that is answered with 5xx is no error of the function.
  answer_alarms = {
    for key, function in local.functions : "answers-${key}" => merge(local.usual, {
      description         = "${function.name} cannot take webhooks: their secret cannot be read, or the queue of hints refuses them"
      namespace           = "AWS/Lambda"
      metric_name         = "Url5xxCount"
      dimensions          = { FunctionName = function.name }
      evaluation_periods  = 3
      datapoints_to_alarm = 2
    }) if function.program == "oci-events"
  }

  # The schedule begins an invocation once a minute, so a shorter interval counts as a minute. The period is as long as
  # the largest accepted lag: if no invocation reports a lag in that time, the alarm goes off.
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
      description = "Charts of ${name} are missing in a mass and held back: check whether they were deleted on purpose"
      namespace   = local.namespace
      metric_name = "HeldBack"
      dimensions  = { Instance = name }
      statistic   = "Maximum"
    })
  }
  repair_alarms = {
    for name, instance in local.ecr : "repair-${name}" => merge(local.usual, {
      description = "The repair of ${name} found changes for which no event arrived: events were lost, or the filter kept them out"
      namespace   = local.namespace
      metric_name = "RepairFound"
      dimensions  = { Instance = name }
    })
  }
  # A single late message says nothing: a sender may have tried again for long. So several periods must be late.
  late_alarms = {
    for name in concat(keys(local.ecr), keys(local.oci)) : "late-${name}" => merge(local.usual, {
      description         = "Changes of ${name} become rows more than 60 s after their event or webhook"
      namespace           = local.namespace
      metric_name         = "HintToRow"
      dimensions          = { Instance = name }
      statistic           = "Maximum"
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 60000
    })
  }
  broken_alarms = {
    for name in concat(keys(local.ecr), keys(local.oci)) : "broken-${name}" => merge(local.usual, {
      description = "A chart that cannot be used was pushed to ${name}: the admin page gives the reason"
      namespace   = local.namespace
      metric_name = "ChartsBroken"
      dimensions  = { Instance = name }
    })
  }

  alarms = merge(
    local.dead_letter_alarms, local.age_alarms, local.error_alarms, local.throttle_alarms, local.duration_alarms, local.answer_alarms,
    local.lag_alarms, local.held_alarms, local.repair_alarms, local.late_alarms, local.broken_alarms,
  )
}
