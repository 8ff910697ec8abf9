# The values that users of Platz have, case from the field 32: no provider, the tag parser per instance, and fields for
# Kubernetes.

variables {
  home = {
    partition  = "aws"
    region     = "us-east-1"
    account_id = "123456789012"
  }
  database         = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf" }
  migrate_database = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf" }
}

run "values_that_follow_ecr_only" {
  command = plan
  variables {
    instances = yamldecode(file("tests/values/platz-0.6.8.yaml")).chartDiscovery.instances
  }

  assert {
    condition     = { for name, queue in output.queues : name => queue.name } == { eu = "platz-chart-events-eu", prod = "platz-chart-events" }
    error_message = "the queues are ${jsonencode(output.queues)}"
  }
  assert {
    condition     = contains(keys(output.functions), "tag-parser") && alltrue([for key, function in output.functions : function.environment["ENABLE_TAG_PARSER"] == "true" if key != "migrate"])
    error_message = "one instance parses tags, so all of them do, as in Platz"
  }
}

run "values_with_providers" {
  command = plan
  variables {
    instances = yamldecode(file("tests/values/platz-0.7.0.yaml")).chartDiscovery.instances
  }

  assert {
    condition     = keys(output.queues) == ["default"]
    error_message = "the queues are ${jsonencode(output.queues)}"
  }
  assert {
    condition = { for name, schedule in output.schedules : name => jsondecode(schedule.input) if schedule.function == "oci-poll" } == {
      oci-poll-mirror  = { name = "mirror", provider = "oci", oci = { registryUrl = "https://registry.example.com", pollInterval = "30s" } }
      oci-poll-unnamed = { name = "unnamed", provider = "oci", oci = { registryUrl = "https://ghcr.io" } }
    }
    error_message = "the schedules are ${jsonencode(output.schedules)}"
  }
  assert {
    condition     = !contains(keys(output.functions), "tag-parser")
    error_message = "no instance parses tags"
  }
}

run "a_field_that_was_renamed" {
  command = plan
  variables {
    instances = [{ name = "a", ecr = {}, ecrEvents = { queueName = "q", regionName = "us-east-1" } }]
  }

  expect_failures = [var.instances]
}

run "a_switch_that_is_none" {
  command = plan
  variables {
    instances = [{ name = "a", enableTagParser = "perhaps", ecrEvents = { queueName = "q", regionName = "us-east-1" } }]
  }

  expect_failures = [var.instances]
}
