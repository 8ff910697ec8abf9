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
    { name = "harbor", oci = { registryUrl = "https://harbor.example.com", webhookSecretArn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook-AbCdEf" } },
  ]
  database         = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf" }
  migrate_database = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf" }
}

run "every_function_has_its_role_and_its_log" {
  command = plan

  assert {
    condition     = toset(keys(aws_iam_role.function)) == toset(["admin", "ecr-events-abroad", "ecr-events-prod-ecr", "migrate", "oci-events", "oci-poll"])
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
    condition     = alltrue([for mapping in concat(values(aws_lambda_event_source_mapping.events), values(aws_lambda_event_source_mapping.hints)) : contains(mapping.function_response_types, "ReportBatchItemFailures")])
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

run "only_the_function_without_a_database_runs_outside_its_network" {
  command = plan

  variables {
    vpc = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], ipv6 = true }
  }
  assert {
    condition     = [for key, function in aws_lambda_function.function : key if length(function.vpc_config) == 0] == ["oci-events"] && length(aws_lambda_function.migrate.vpc_config) == 1
    error_message = "A function with a database does not run in the VPC, or oci-events does."
  }
  assert {
    condition     = alltrue([for function in concat(values(aws_lambda_function.function), [aws_lambda_function.migrate]) : function.vpc_config[0].ipv6_allowed_for_dual_stack if length(function.vpc_config) == 1])
    error_message = "A function in the VPC cannot use IPv6."
  }
}

run "instances_with_a_secret_have_an_address_for_webhooks" {
  command = plan

  variables {
    webhooks = { public_url = "https://hooks.example.com/" }
  }
  assert {
    condition     = output.webhook_urls == { harbor = "https://hooks.example.com/harbor" }
    error_message = "An instance has no address, or a wrong one."
  }
  assert {
    condition     = aws_lambda_function_url.oci_events[0].authorization_type == "NONE"
    error_message = "Senders would have to sign for IAM."
  }
}

run "no_address_without_a_url" {
  command = plan

  variables {
    webhooks = { function_url = false }
  }
  assert {
    condition     = output.webhook_urls == {} && length(aws_lambda_function_url.oci_events) == 0 && length(aws_lambda_permission.oci_events) == 0
    error_message = "There is an address although nothing is in front of the function."
  }
}

run "own_keys_encrypt_logs_queues_and_cursors" {
  command = plan

  variables {
    kms_keys = {
      logs   = "arn:aws:kms:us-east-1:123456789012:key/logs"
      queues = "arn:aws:kms:us-east-1:123456789012:key/queues"
      table  = "arn:aws:kms:us-east-1:123456789012:key/table"
    }
  }
  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.function : group.kms_key_id == var.kms_keys.logs])
    error_message = "A log is not encrypted with its key."
  }
  assert {
    condition     = alltrue([for queue in concat(values(aws_sqs_queue.events), values(aws_sqs_queue.dead_letters)) : queue.kms_master_key_id == var.kms_keys.queues])
    error_message = "A queue is not encrypted with its key."
  }
  assert {
    condition     = alltrue([for table in aws_dynamodb_table.cursor : table.server_side_encryption[0].kms_key_arn == var.kms_keys.table])
    error_message = "The cursors are not encrypted with their key."
  }
}
