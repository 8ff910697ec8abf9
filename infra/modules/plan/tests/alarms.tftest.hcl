variables {
  home = {
    partition  = "aws"
    region     = "us-east-1"
    account_id = "123456789012"
  }
  database          = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf" }
  migrate_database  = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf" }
  enable_tag_parser = true
  instances = [
    { name = "a", provider = "ecr", ecrEvents = { queueName = "qa", regionName = "us-east-1" } },
    { name = "b", provider = "ecr", ecrEvents = { queueName = "qb", regionName = "us-west-2" } },
    { name = "fast", provider = "oci", oci = { registryUrl = "https://ghcr.io" } },
    { name = "slow", provider = "oci", oci = { registryUrl = "https://quay.io", pollInterval = "1h 30m" } },
  ]
}

run "everything_has_its_alarms" {
  command = plan

  assert {
    condition = toset(keys(output.alarms)) == toset(concat(
      [for queue in output.dead_letter_queues : "dead-letters-${queue}"],
      ["age-qa", "age-qb", "lag-fast", "lag-slow", "held-fast", "held-slow", "repair-a", "repair-b"],
      flatten([for name in ["a", "b", "fast", "slow"] : ["broken-${name}", "late-${name}"]]),
      flatten([for function in keys(output.functions) : ["errors-${function}", "throttles-${function}", "duration-${function}"]]),
    ))
    error_message = "they are ${jsonencode(keys(output.alarms))}"
  }
}

run "our_metrics_are_listed_and_have_an_instance_that_emits_them" {
  command = plan

  assert {
    condition = length(setsubtract(
      [for alarm in output.alarms : alarm.metric_name if alarm.namespace == output.metrics.namespace], keys(output.metrics.metrics)
    )) == 0
    error_message = "an alarm waits for a metric that is not in the list"
  }
  assert {
    condition = alltrue([
      for alarm in output.alarms : contains(
        output.metrics.metrics[alarm.metric_name].providers,
        one([for instance in var.instances : instance.provider if instance.name == alarm.dimensions["Instance"]])
      ) if alarm.namespace == output.metrics.namespace
    ])
    error_message = "an alarm waits for a metric of an instance that does not emit it"
  }
  assert {
    condition     = alltrue([for alarm in output.alarms : contains(["AWS/SQS", "AWS/Lambda", "ChartDiscovery"], alarm.namespace)])
    error_message = "there is another namespace"
  }
}

run "lag_over_three_intervals_or_none_told" {
  command = plan

  assert {
    condition = { for name in ["fast", "slow"] : name => [
      output.alarms["lag-${name}"].threshold, output.alarms["lag-${name}"].period, output.alarms["lag-${name}"].treat_missing_data
    ] } == { fast = [180, 180, "breaching"], slow = [16200, 16200, "breaching"] }
    error_message = "they are ${jsonencode([output.alarms["lag-fast"], output.alarms["lag-slow"]])}"
  }
}

run "thresholds" {
  command = plan
  variables {
    functions = { oci-poll = { timeout = 300 } }
  }

  assert {
    condition     = output.alarms["duration-oci-poll"].threshold == 240000 && output.alarms["duration-admin"].threshold == 24000
    error_message = "they are not four fifths of the timeouts, in milliseconds"
  }
  assert {
    condition     = output.alarms["late-a"].threshold == 60000 && output.alarms["late-fast"].metric_name == "HintToRow"
    error_message = "a row may be more than a minute late, in milliseconds"
  }
  assert {
    condition     = alltrue([for key, alarm in output.alarms : alarm.threshold == 0 if !can(regex("^(age|duration|lag|late)-", key))])
    error_message = "something may go wrong before an alarm tells"
  }
  assert {
    condition     = alltrue([for alarm in output.alarms : alarm.period % 60 == 0 && alarm.period * alarm.evaluation_periods <= 86400])
    error_message = "CloudWatch would refuse a period"
  }
}

run "the_dashboard_shows_every_metric" {
  command = plan

  assert {
    condition = length(setsubtract(
      keys(output.metrics.metrics),
      flatten([for widget in jsondecode(output.dashboard).widgets : [for metric in try(widget.properties.metrics, []) : metric[1]]])
    )) == 0
    error_message = "a metric is not on the dashboard"
  }
  assert {
    condition     = length(jsondecode(output.dashboard).widgets[0].properties.alarms) == length(output.alarms)
    error_message = "an alarm is not on the dashboard"
  }
}
