# A second installation in the same account, with the same instances.

variables {
  name      = "charts-b"
  instances = yamldecode(file("tests/values/seed.yaml")).chartDiscovery.instances
  home = {
    partition  = "aws"
    region     = "us-east-1"
    account_id = "123456789012"
  }
  database         = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf" }
  migrate_database = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf" }
}

run "every_name_has_the_prefix" {
  command = plan

  assert {
    condition     = alltrue([for name in concat([for queue in output.queues : queue.name], tolist(output.dead_letter_queues), [for rule in output.rules : rule.name], [for function in output.functions : function.name], tolist(output.tables), [output.schedule_group.name]) : startswith(name, "charts-b")])
    error_message = "a name is the other installation's"
  }
  assert {
    condition     = output.metrics.namespace == "ChartDiscovery/charts-b" && alltrue([for function in output.functions : function.environment["METRICS_NAMESPACE"] == output.metrics.namespace])
    error_message = "the metrics are those of the other installation"
  }
  assert {
    condition     = alltrue([for alarm in output.alarms : startswith(alarm.namespace, "AWS/") || alarm.namespace == output.metrics.namespace])
    error_message = "an alarm watches the other installation"
  }
}

run "a_queue_may_keep_its_name" {
  command = plan
  variables {
    queue_name_exact = true
  }

  assert {
    condition     = output.queues["prod-ecr"].name == "platz-chart-events"
    error_message = "it is ${output.queues["prod-ecr"].name}"
  }
}

run "a_prefix_that_makes_the_queue_too_long" {
  command = plan
  variables {
    instances = [{ name = "a", ecrEvents = { queueName = join("", [for _ in range(70) : "q"]), regionName = "us-east-1" } }]
  }

  expect_failures = [var.instances]
}

run "a_queue_called_like_the_dead_letters_of_another" {
  command = plan
  variables {
    instances = [
      { name = "a", ecrEvents = { queueName = "q", regionName = "us-east-1" } },
      { name = "b", ecrEvents = { queueName = "q-dlq", regionName = "us-east-1" } },
    ]
  }

  expect_failures = [var.instances]
}

run "schedules_of_the_same_name" {
  command = plan
  variables {
    instances = [
      { name = "a", ecrEvents = { queueName = "q", regionName = "us-east-1", accounts = ["210987654321"] } },
      { name = "a-210987654321", ecrEvents = { queueName = "r", regionName = "us-east-1" } },
    ]
  }

  expect_failures = [output.schedules]
}

run "a_secret_without_the_end_of_its_arn" {
  command = plan
  variables {
    database         = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app" }
    migrate_database = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner" }
    admin            = { auth = "oidc", oidc_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:oidc" }
    instances        = [{ name = "a", oci = { registryUrl = "https://ghcr.io", credentialsSecretArn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ghcr" } }]
  }

  expect_failures = [var.database, var.migrate_database, var.admin, var.instances]
}
