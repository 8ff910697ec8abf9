# Instances that registries tell of changes: a function with an address, and a queue of hints.

variables {
  home = {
    partition  = "aws"
    region     = "us-east-1"
    account_id = "123456789012"
  }
  database         = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf" }
  migrate_database = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf" }
  database_ca_file = "/opt/rds.pem"
  in_vpc           = true
  secret_key_arns  = ["arn:aws:kms:us-east-1:123456789012:key/secrets"]
  instances = [
    { name = "harbor", oci = { registryUrl = "https://harbor.example.com", webhookSecretArn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:harbor-hook-AbCdEf" } },
    { name = "google", oci = { registryUrl = "https://europe-docker.pkg.dev", webhookGoogle = { audience = "https://hooks.example.com", email = "push@example.com" } } },
    { name = "polled", oci = { registryUrl = "https://quay.io" } },
  ]
}

run "only_these_instances_take_webhooks" {
  command = plan

  assert {
    condition     = output.webhooks.instances == ["google", "harbor"] && output.webhooks.function_url
    error_message = "they are ${jsonencode(output.webhooks)}"
  }
  assert {
    condition = jsondecode(output.functions["oci-events"].environment["WEBHOOKS"]) == {
      harbor = { secretArn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:harbor-hook-AbCdEf" }
      google = { google = { audience = "https://hooks.example.com", email = "push@example.com" } }
    }
    error_message = "it is ${output.functions["oci-events"].environment["WEBHOOKS"]}"
  }
}

run "the_function_has_no_database_and_no_vpc" {
  command = plan

  assert {
    condition     = toset(keys(output.functions["oci-events"].environment)) == toset(["HINT_QUEUE_URL", "MALLOC_MMAP_THRESHOLD_", "RUST_LOG", "WEBHOOKS"])
    error_message = "its settings are ${jsonencode(keys(output.functions["oci-events"].environment))}"
  }
  assert {
    condition     = [for key, function in output.functions : key if !function.in_vpc] == ["oci-events"]
    error_message = "another function is outside the VPC, or oci-events is inside"
  }
}

run "hints_go_through_a_queue_to_the_poller" {
  command = plan

  assert {
    condition     = keys(output.hint_queues) == ["chart-discovery-hints"] && output.functions["oci-events"].environment["HINT_QUEUE_URL"] == "https://sqs.us-east-1.amazonaws.com/123456789012/chart-discovery-hints"
    error_message = "the queues are ${jsonencode(output.hint_queues)}"
  }
  assert {
    condition     = output.hint_queues["chart-discovery-hints"].visibility_timeout_seconds == 6 * output.functions["oci-poll"].timeout && output.hint_queues["chart-discovery-hints"].max_receive_count == 5
    error_message = "a slow look would be repeated, or a bad hint for ever"
  }
  assert {
    condition     = output.hint_queues["chart-discovery-hints"].function_response_types == ["ReportBatchItemFailures"] && output.hint_queues["chart-discovery-hints"].maximum_concurrency == 5
    error_message = "one bad hint would fail its neighbours, or a burst take every connection"
  }
  assert {
    condition     = output.dead_letter_queues == toset(["chart-discovery-hints-dlq", "chart-discovery-schedules-dlq"])
    error_message = "the dead-letter queues are ${jsonencode(output.dead_letter_queues)}"
  }
  assert {
    condition = [for arn in ["arn:aws:sqs:us-east-1:123456789012:chart-discovery-hints", "arn:aws:sqs:us-east-1:123456789012:chart-discovery-hints-dlq"] :
    [for statement in jsondecode(output.policies.queues[arn]).Statement : statement.Sid]] == [["RefusePlainHttp"], ["RefusePlainHttp"]]
    error_message = "somebody may send hints who has no role for it"
  }
}

run "each_role_has_its_end_of_the_queue" {
  command = plan

  assert {
    condition = { for statement in jsondecode(output.policies.functions["oci-events"]).Statement : statement.Sid => [statement.Action, statement.Resource] } == {
      WriteItsLog       = [["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/chart-discovery-oci-events:*"]]
      SendToItsQueue    = [["sqs:SendMessage"], ["arn:aws:sqs:us-east-1:123456789012:chart-discovery-hints"]]
      ReadItsSecrets    = [["secretsmanager:GetSecretValue"], ["arn:aws:secretsmanager:us-east-1:123456789012:secret:harbor-hook-AbCdEf"]]
      DecryptItsSecrets = [["kms:Decrypt"], ["arn:aws:kms:us-east-1:123456789012:key/secrets"]]
    }
    error_message = "it is ${output.policies.functions["oci-events"]}"
  }
  assert {
    condition = { for statement in jsondecode(output.policies.functions["oci-poll"]).Statement : statement.Sid => statement.Resource
      if contains(["TakeFromItsQueue", "ReadItsSecrets"], statement.Sid) } == {
      TakeFromItsQueue = ["arn:aws:sqs:us-east-1:123456789012:chart-discovery-hints"]
      ReadItsSecrets   = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf"]
    }
    error_message = "it is ${output.policies.functions["oci-poll"]}"
  }
}

run "anyone_may_call_the_url_and_nothing_else" {
  command = plan

  assert {
    condition = output.webhooks.permissions == {
      InvokeFunction    = { action = "lambda:InvokeFunction", principal = "*", function_url_auth_type = null, invoked_via_function_url = true }
      InvokeFunctionUrl = { action = "lambda:InvokeFunctionUrl", principal = "*", function_url_auth_type = "NONE", invoked_via_function_url = null }
    }
    error_message = "they are ${jsonencode(output.webhooks.permissions)}"
  }
}

run "without_a_function_url" {
  command = plan
  variables {
    webhooks = { function_url = false }
  }

  assert {
    condition     = !output.webhooks.function_url && length(output.webhooks.permissions) == 0 && contains(keys(output.functions), "oci-events")
    error_message = "there is an address, or no function behind another one"
  }
}

run "what_fails_raises_an_alarm_and_is_on_the_dashboard" {
  command = plan

  assert {
    condition = length(setsubtract(
      ["age-chart-discovery-hints", "dead-letters-chart-discovery-hints-dlq", "errors-oci-events", "throttles-oci-events", "answers-oci-events"],
      keys(output.alarms),
    )) == 0
    error_message = "they are ${jsonencode(keys(output.alarms))}"
  }
  assert {
    condition     = [output.alarms["answers-oci-events"].metric_name, output.alarms["answers-oci-events"].dimensions.FunctionName] == ["Url5xxCount", "chart-discovery-oci-events"]
    error_message = "it is ${jsonencode(output.alarms["answers-oci-events"])}"
  }
  assert {
    condition = length(setsubtract(
      [["AWS/Lambda", "Url4xxCount", "FunctionName", "chart-discovery-oci-events"], ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "chart-discovery-hints"]],
      concat([for widget in jsondecode(output.dashboard).widgets : try(widget.properties.metrics, [])]...),
    )) == 0
    error_message = "the dashboard lacks the webhooks"
  }
}

run "schedules_keep_the_whole_instance" {
  command = plan

  assert {
    condition     = jsondecode(output.schedules["oci-poll-harbor"].input).oci == var.instances[0].oci
    error_message = "it is ${output.schedules["oci-poll-harbor"].input}"
  }
}

run "another_partition_has_another_suffix" {
  command = plan
  variables {
    home = {
      partition  = "aws-cn"
      dns_suffix = "amazonaws.com.cn"
      region     = "cn-north-1"
      account_id = "123456789012"
    }
    kms_keys = { queues = "arn:aws-cn:kms:cn-north-1:123456789012:key/queues" }
  }

  assert {
    condition     = output.functions["oci-events"].environment["HINT_QUEUE_URL"] == "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/chart-discovery-hints"
    error_message = "it is ${output.functions["oci-events"].environment["HINT_QUEUE_URL"]}"
  }
  assert {
    condition = [for statement in jsondecode(output.policies.functions["oci-events"]).Statement : statement.Condition
    if statement.Sid == "SendEncryptedMessages"] == [{ StringEquals = { "kms:ViaService" = "sqs.cn-north-1.amazonaws.com.cn" } }]
    error_message = "it is ${output.policies.functions["oci-events"]}"
  }
}

run "nothing_without_webhooks" {
  command = plan
  variables {
    instances = [{ name = "polled", oci = { registryUrl = "https://quay.io" } }]
  }

  assert {
    condition     = length(output.hint_queues) == 0 && !output.webhooks.function_url && !contains(keys(output.functions), "oci-events")
    error_message = "something takes webhooks that no instance wants"
  }
}

run "two_kinds_of_proof" {
  command = plan
  variables {
    instances = [{ name = "a", oci = { registryUrl = "https://ghcr.io", webhookSecretArn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf", webhookGoogle = { audience = "a", email = "b@c" } } }]
  }

  expect_failures = [var.instances]
}

run "half_a_secret" {
  command = plan
  variables {
    instances = [{ name = "a", oci = { registryUrl = "https://ghcr.io", webhookSecretArn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a" } }]
  }

  expect_failures = [var.instances]
}

run "no_secret" {
  command = plan
  variables {
    instances = [{ name = "a", oci = { registryUrl = "https://ghcr.io", webhookSecretArn = null } }]
  }

  expect_failures = [var.instances]
}

run "google_without_an_account" {
  command = plan
  variables {
    instances = [{ name = "a", oci = { registryUrl = "https://ghcr.io", webhookGoogle = { audience = "https://hooks.example.com" } } }]
  }

  expect_failures = [var.instances]
}

run "google_with_more" {
  command = plan
  variables {
    instances = [{ name = "a", oci = { registryUrl = "https://ghcr.io", webhookGoogle = { audience = "a", email = "b@c", keys = "d" } } }]
  }

  expect_failures = [var.instances]
}

run "more_webhooks_than_a_function_has_room_for" {
  command = plan
  variables {
    instances = [for number in range(40) : { name = "r${number}", oci = { registryUrl = "https://r${number}.example.com", webhookSecretArn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:webhooks-of-${number}-AbCdEf" } }]
  }

  expect_failures = [output.webhooks]
}

run "a_queue_that_is_called_like_that_of_the_hints" {
  command = plan
  variables {
    instances = concat(var.instances, [{ name = "ecr", ecrEvents = { queueName = "chart-discovery-hints", regionName = "us-east-1" } }])
  }

  expect_failures = [var.instances]
}

run "a_poller_with_fewer_places_than_batches" {
  command = plan
  variables {
    functions = { oci-poll = { reserved_concurrency = 2 } }
  }

  expect_failures = [var.maximum_concurrency]
}

run "a_key_by_its_alias" {
  command = plan
  variables {
    kms_keys = { queues = "arn:aws:kms:us-east-1:123456789012:alias/queues" }
  }

  expect_failures = [var.kms_keys]
}

run "dozens_of_instances_have_further_policies" {
  command = plan
  variables {
    instances = concat(
      [for number in range(45) : { name = "r${number}", oci = { registryUrl = "https://r${number}.example.com", credentialsSecretArn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:registry-${number}-AbCdEf" } }],
      [for number in range(45) : { name = "e${number}", ecrEvents = { queueName = "q${number}", regionName = "us-east-1" } }],
    )
  }

  assert {
    condition = toset(flatten([
      for policy in concat([output.policies.functions["oci-poll"]], output.policies.more["oci-poll"]) : [for statement in jsondecode(policy).Statement : statement.Resource if statement.Sid == "ReadItsSecrets"]
    ])) == toset(concat([var.database.secret_arn], [for instance in var.instances : instance.oci.credentialsSecretArn if can(instance.oci)]))
    error_message = "a secret is missing, or one too many"
  }
  assert {
    condition     = { for key, policies in output.policies.more : key => length(policies) if length(policies) > 0 } == { admin = 2, oci-poll = 2 }
    error_message = "they are ${jsonencode({ for key, policies in output.policies.more : key => length(policies) })}"
  }
  assert {
    condition = toset(flatten([
      for policy in concat([output.policies.functions["admin"]], output.policies.more["admin"]) : [for statement in jsondecode(policy).Statement : statement.Resource if statement.Sid == "InvokeFunctions"]
    ])) == toset([for key, function in output.functions : function.arn if contains(["ecr-events", "oci-poll"], function.program)])
    error_message = "admin cannot ask every function"
  }
}
