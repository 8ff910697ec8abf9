# The resources of the module, with a provider that Terraform itself makes up.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  instances = [
    { name = "prod-ecr", provider = "ecr", ecrEvents = { queueName = "charts", regionName = "us-east-1" } },
    { name = "abroad", provider = "ecr", ecrEvents = { queueName = "abroad", regionName = "eu-west-1", accounts = ["210987654321"] } },
    { name = "mirror", provider = "oci", oci = { registryUrl = "https://ghcr.io" } },
  ]
  database         = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf" }
  migrate_database = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf" }
}

run "every_function_has_its_role_and_its_log" {
  command = plan

  assert {
    condition     = toset(keys(aws_iam_role.function)) == toset(["admin", "ecr-events-abroad", "ecr-events-prod-ecr", "migrate", "oci-poll"])
    error_message = "A function has no role of its own."
  }
  assert {
    condition     = alltrue([for key, function in aws_lambda_function.function : function.logging_config[0].log_group == aws_cloudwatch_log_group.function[key].name])
    error_message = "A function does not write to its own log group."
  }
}

run "queues_and_schedules_start_their_functions" {
  command = plan

  assert {
    condition     = alltrue([for name, mapping in aws_lambda_event_source_mapping.events : contains(mapping.function_response_types, "ReportBatchItemFailures")])
    error_message = "One bad message would fail its batch."
  }
  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.schedule : schedule.target[0].retry_policy[0].maximum_retry_attempts == 0])
    error_message = "A schedule retries although the next invocation does the work."
  }
}

run "only_a_foreign_region_forwards_and_only_a_foreign_account_is_let_in" {
  command = plan

  assert {
    condition     = length(module.forward) == 1
    error_message = "The events of eu-west-1 do not come home."
  }
  assert {
    condition     = keys(aws_cloudwatch_event_permission.account) == ["210987654321"]
    error_message = "Another account may not put events on the bus, or the own one may."
  }
}

run "nothing_runs_outside_its_network" {
  command = plan

  variables {
    vpc = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }
  assert {
    condition     = alltrue([for function in concat(values(aws_lambda_function.function), [aws_lambda_function.migrate]) : length(function.vpc_config) == 1])
    error_message = "A function does not run in the VPC."
  }
}
