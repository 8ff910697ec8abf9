# The two instances of the predecessor's own page, as the values of its chart have them.

variables {
  instances = yamldecode(file("tests/values/seed.yaml")).chartDiscovery.instances
  home = {
    partition  = "aws"
    region     = "us-east-1"
    account_id = "123456789012"
  }
  database         = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf" }
  migrate_database = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf" }
}

run "rules_queues_and_functions" {
  command = plan

  assert {
    condition     = [for rule in output.rules : [rule.name, rule.queue]] == [["chart-discovery-prod-ecr", "prod-ecr"]]
    error_message = "the rules are ${jsonencode(output.rules)}"
  }
  assert {
    condition     = jsondecode(output.rules["prod-ecr"].event_pattern).region == ["us-east-1"] && jsondecode(output.rules["prod-ecr"].event_pattern).account == ["123456789012"]
    error_message = "the rule takes events of other regions or accounts"
  }
  assert {
    condition     = length(output.forwards) == 0 && length(output.event_bus.accounts) == 0
    error_message = "something is forwarded although the instance is in the home region"
  }
  assert {
    condition     = keys(output.queues) == ["prod-ecr"] && output.queues["prod-ecr"].name == "platz-chart-events" && output.queues["prod-ecr"].max_receive_count == 5
    error_message = "the queues are ${jsonencode(output.queues)}"
  }
  assert {
    condition     = output.queues["prod-ecr"].visibility_timeout_seconds == 6 * output.functions["ecr-events-prod-ecr"].timeout
    error_message = "the visibility timeout is not six timeouts"
  }
  assert {
    condition     = output.dead_letter_queues == toset(["platz-chart-events-dlq", "chart-discovery-schedules-dlq"])
    error_message = "the dead-letter queues are ${jsonencode(output.dead_letter_queues)}"
  }
  assert {
    condition     = keys(output.functions) == ["admin", "ecr-events-prod-ecr", "migrate", "oci-poll"]
    error_message = "the functions are ${jsonencode(keys(output.functions))}"
  }
  assert {
    condition     = output.event_source_mappings["prod-ecr"].function_response_types == ["ReportBatchItemFailures"]
    error_message = "one bad message would fail its neighbours"
  }
}

run "schedules_with_their_exact_input" {
  command = plan

  assert {
    condition = { for name, schedule in output.schedules : name => [schedule.expression, schedule.function, jsondecode(schedule.input)] } == {
      oci-poll-ghcr-mirror = ["rate(1 minute)", "oci-poll", { name = "ghcr-mirror", provider = "oci", oci = { registryUrl = "https://ghcr.io", pollInterval = "30s" } }]
      repair-prod-ecr      = ["rate(10 minutes)", "ecr-events-prod-ecr", { backfill = { region = "us-east-1", unlessWithin = "24h" } }]
    }
    error_message = "the schedules are ${jsonencode(output.schedules)}"
  }
  assert {
    condition     = jsondecode(output.schedules["repair-prod-ecr"].input) == jsondecode(file("../../../events/ecr-repair.json"))
    error_message = "the repair is not the sample in events/"
  }
}

run "the_tag_parser_when_it_is_enabled" {
  command = plan
  variables {
    enable_tag_parser = true
  }

  assert {
    condition     = [output.schedules["tag-parser"].expression, output.schedules["tag-parser"].input] == ["rate(1 minute)", "{}"]
    error_message = "the schedules are ${jsonencode(output.schedules)}"
  }
  assert {
    condition     = alltrue([for key, function in output.functions : function.environment["ENABLE_TAG_PARSER"] == "true" if key != "migrate"])
    error_message = "a function does not know that tags are taken apart"
  }
  assert {
    condition     = output.functions["admin"].environment["TAG_PARSER_FUNCTION"] == output.functions["tag-parser"].name
    error_message = "admin does not know whom to tell of a change"
  }
}

run "environments" {
  command = plan

  assert {
    condition = output.functions["ecr-events-prod-ecr"].environment == {
      DATABASE_SECRET_ARN    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf"
      ECR_ACCOUNTS           = "123456789012"
      ENABLE_TAG_PARSER      = "false"
      INSTANCE_NAME          = "prod-ecr"
      KIND_NAMING            = "name"
      MALLOC_MMAP_THRESHOLD_ = "131072"
      RUST_LOG               = "info"
    }
    error_message = "it is ${jsonencode(output.functions["ecr-events-prod-ecr"].environment)}"
  }
  assert {
    condition     = output.functions["oci-poll"].environment["CURSOR_TABLE"] == one(output.tables)
    error_message = "the poller has another table"
  }
  assert {
    condition     = output.functions["migrate"].environment["DATABASE_SECRET_ARN"] == var.migrate_database.secret_arn
    error_message = "migrate does not log in as the owner"
  }
  assert {
    condition     = alltrue([for key, function in output.functions : function.environment["DATABASE_SECRET_ARN"] == var.database.secret_arn if key != "migrate"])
    error_message = "another function logs in as the owner"
  }
}

run "policies_name_what_is_there" {
  command = plan
  variables {
    enable_tag_parser = true
  }

  assert {
    condition = { for key, policy in output.policies.functions : key => { for statement in jsondecode(policy).Statement : statement.Sid => statement.Resource if statement.Sid != "WriteItsLog" } } == {
      admin = {
        ReadItsSecrets  = [var.database.secret_arn]
        InvokeFunctions = [output.functions["ecr-events-prod-ecr"].arn, output.functions["oci-poll"].arn, output.functions["tag-parser"].arn]
      }
      ecr-events-prod-ecr = {
        TakeFromItsQueue = [output.queues["prod-ecr"].arn]
        LogInToEcr       = ["*"]
        ReadEcr          = ["arn:aws:ecr:us-east-1:123456789012:repository/*"]
        ReadItsSecrets   = [var.database.secret_arn]
      }
      migrate = { ReadItsSecrets = [var.migrate_database.secret_arn] }
      oci-poll = {
        UseItsTable    = ["arn:aws:dynamodb:us-east-1:123456789012:table/chart-discovery-cursor"]
        ReadItsSecrets = [var.database.secret_arn]
      }
      tag-parser = { ReadItsSecrets = [var.database.secret_arn] }
    }
    error_message = "they are ${jsonencode(output.policies.functions)}"
  }
}
