# What instances may say beyond the predecessor's example.

variables {
  home = {
    partition  = "aws"
    region     = "eu-west-1"
    account_id = "123456789012"
  }
  database = {
    url         = "postgres://app@db.example.com:5432/charts?sslmode=verify-full"
    resource_id = "cluster-ABC"
  }
  migrate_database = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:owner-AbCdEf" }
  instances = [
    {
      name     = "home"
      provider = "ecr"
      ecrEvents = {
        queueName  = "home"
        regionName = "eu-west-1"
        accounts   = ["123456789012", "210987654321"]
      }
    },
    {
      name     = "america"
      provider = "ecr"
      ecrEvents = {
        queueName    = "america"
        regionName   = "us-east-1"
        repositories = ["charts/**", "shop/orders"]
        exclude      = ["charts/old"]
        kindNaming   = "path"
      }
    },
    { name = "own", provider = "oci", oci = { registryUrl = "https://123456789012.dkr.ecr.us-west-2.amazonaws.com", pollInterval = "1h 30m" } },
    {
      name     = "private"
      provider = "oci"
      oci = {
        registryUrl          = "https://registry.example.com"
        credentialsSecretArn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:private-AbCdEf"
        catalog              = "gitlab"
        catalogUrl           = "https://gitlab.example.com"
        catalogInterval      = "1m"
        namespaces           = ["team/charts"]
      }
    },
  ]
}

run "another_region_is_forwarded" {
  command = plan

  assert {
    condition     = output.forwards == toset(["us-east-1"])
    error_message = "they are ${jsonencode(output.forwards)}"
  }
  assert {
    condition     = alltrue([for rule in output.rules : startswith(rule.arn, "arn:aws:events:eu-west-1:")]) && alltrue([for queue in output.queues : startswith(queue.arn, "arn:aws:sqs:eu-west-1:")])
    error_message = "a rule or a queue is not in the home region"
  }
  assert {
    condition     = { for name, rule in output.rules : name => jsondecode(rule.event_pattern).region } == { america = ["us-east-1"], home = ["eu-west-1"] }
    error_message = "a forwarded event would be taken by the wrong rule"
  }
}

run "another_account_is_let_in_and_read" {
  command = plan

  assert {
    condition     = output.event_bus.accounts == toset(["210987654321"]) && output.event_bus.arn == "arn:aws:events:eu-west-1:123456789012:event-bus/default"
    error_message = "they are ${jsonencode(output.event_bus)}"
  }
  assert {
    condition     = jsondecode(output.rules["home"].event_pattern).account == ["123456789012", "210987654321"]
    error_message = "the rule keeps the account's events out, or lets others in"
  }
  assert {
    condition     = output.functions["ecr-events-home"].environment["ECR_ACCOUNTS"] == "123456789012,210987654321"
    error_message = "the function does not accept the account's events"
  }
  assert {
    condition = one([for statement in jsondecode(output.policies.functions["ecr-events-home"]).Statement : statement.Resource if statement.Sid == "ReadEcr"]) == [
      "arn:aws:ecr:eu-west-1:123456789012:repository/*", "arn:aws:ecr:eu-west-1:210987654321:repository/*",
    ]
    error_message = "it is ${output.policies.functions["ecr-events-home"]}"
  }
  assert {
    condition = { for name, schedule in output.schedules : name => jsondecode(schedule.input) if startswith(name, "repair-") } == {
      repair-america           = { backfill = { region = "us-east-1", unlessWithin = "24h", repositories = ["charts/**", "shop/orders"], exclude = ["charts/old"] } }
      repair-home-123456789012 = { backfill = { region = "eu-west-1", unlessWithin = "24h", registryId = "123456789012" } }
      repair-home-210987654321 = { backfill = { region = "eu-west-1", unlessWithin = "24h", registryId = "210987654321" } }
    }
    error_message = "they are ${jsonencode(output.schedules)}"
  }
}

run "a_name_goes_into_the_whole_pattern" {
  command = plan

  assert {
    condition     = jsondecode(output.rules["america"].event_pattern).detail.repository-name == [{ prefix = "charts/" }, "shop/orders"]
    error_message = "it is ${output.rules["america"].event_pattern}"
  }
  assert {
    condition     = output.functions["ecr-events-america"].environment["KIND_NAMING"] == "path"
    error_message = "kinds are named otherwise"
  }
  assert {
    condition     = jsondecode(output.functions["ecr-events-america"].environment["ECR_SELECTION"]) == { repositories = ["charts/**", "shop/orders"], exclude = ["charts/old"] }
    error_message = "it is ${output.functions["ecr-events-america"].environment["ECR_SELECTION"]}"
  }
}

run "the_poller_reads_its_secrets_and_ecr_where_it_polls_it" {
  command = plan

  assert {
    condition = { for statement in jsondecode(output.policies.functions["oci-poll"]).Statement : statement.Sid => statement.Resource if statement.Sid != "WriteItsLog" } == {
      UseItsTable        = ["arn:aws:dynamodb:eu-west-1:123456789012:table/chart-discovery-cursor"]
      LogInToEcr         = ["*"]
      PollEcr            = ["arn:aws:ecr:us-west-2:123456789012:repository/*"]
      ReadItsSecrets     = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:private-AbCdEf"]
      LogInToItsDatabase = ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:cluster-ABC/app"]
    }
    error_message = "it is ${output.policies.functions["oci-poll"]}"
  }
  assert {
    condition     = [output.functions["oci-poll"].environment["DATABASE_URL"], output.functions["oci-poll"].environment["DATABASE_IAM_AUTH"]] == [var.database.url, "true"]
    error_message = "it does not log in by IAM"
  }
  assert {
    condition     = !can(output.functions["migrate"].environment["DATABASE_URL"])
    error_message = "migrate has two logins"
  }
}

run "who_may_call_the_admin_url" {
  command = plan
  variables {
    admin = { principals = ["arn:aws:iam::123456789012:role/platform"] }
  }

  assert {
    condition = output.admin.authorization == "AWS_IAM" && [for permission in output.admin.permissions : permission] == [
      { action = "lambda:InvokeFunction", principal = "arn:aws:iam::123456789012:role/platform", function_url_auth_type = null, invoked_via_function_url = true },
      { action = "lambda:InvokeFunctionUrl", principal = "arn:aws:iam::123456789012:role/platform", function_url_auth_type = "AWS_IAM", invoked_via_function_url = null },
    ]
    error_message = "they are ${jsonencode(output.admin)}"
  }
}

run "everybody_may_call_it_where_the_program_asks_for_a_login" {
  command = plan
  variables {
    admin = { auth = "oidc", oidc_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:oidc-AbCdEf", site_admins = ["group:platform"] }
  }

  assert {
    condition     = output.admin.authorization == "NONE" && [for permission in output.admin.permissions : [permission.action, permission.principal]] == [["lambda:InvokeFunction", "*"], ["lambda:InvokeFunctionUrl", "*"]]
    error_message = "they are ${jsonencode(output.admin)}"
  }
  assert {
    condition     = one([for statement in jsondecode(output.policies.functions["admin"]).Statement : statement.Resource if statement.Sid == "ReadItsSecrets"]) == [var.admin.oidc_secret_arn]
    error_message = "admin cannot read its secret"
  }
}

run "what_yaml_takes_for_a_number_stays_what_it_is" {
  command = plan
  variables {
    instances = [
      { name = "a", provider = "ecr", ecrEvents = { queueName = "q", regionName = "eu-west-1", accounts = [210987654321], kindNaming = null } },
      { name = 42, provider = "oci", oci = { registryUrl = "https://ghcr.io", pollInterval = null } },
    ]
  }

  assert {
    condition     = output.functions["ecr-events-a"].environment["ECR_ACCOUNTS"] == "210987654321" && output.event_bus.accounts == toset(["210987654321"])
    error_message = "they are ${jsonencode(output.functions["ecr-events-a"].environment)}"
  }
  assert {
    condition     = strcontains(output.schedules["repair-a-210987654321"].input, "\"210987654321\"") && strcontains(output.schedules["oci-poll-42"].input, "\"42\"")
    error_message = "a function would refuse ${jsonencode(output.schedules)}"
  }
  assert {
    condition     = output.alarms["lag-42"].threshold == 180 && output.functions["ecr-events-a"].environment["KIND_NAMING"] == "name"
    error_message = "what is null is not what is missing"
  }
}

run "neither_instances_nor_what_goes_with_them" {
  command = plan
  variables {
    instances = []
  }

  assert {
    condition     = keys(output.functions) == ["admin", "migrate"] && length(output.schedules) == 0 && length(output.tables) == 0
    error_message = "there is something to run without an instance"
  }
}

run "a_secret_without_a_host_has_the_address_beside_it" {
  command = plan
  variables {
    database = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-AbCdEf", url = "postgres://db.example.com:5432/charts" }
  }

  assert {
    condition     = { for name, value in output.functions["admin"].environment : name => value if startswith(name, "DATABASE_") } == { DATABASE_SECRET_ARN = var.database.secret_arn, DATABASE_URL = var.database.url }
    error_message = "it is ${jsonencode(output.functions["admin"].environment)}"
  }
}

run "nobody_may_call_a_url_that_is_not_there" {
  command = plan
  variables {
    admin      = { function_url = false }
    public_url = "https://charts.example.com"
  }

  assert {
    condition     = output.admin.permissions == {} && !output.admin.function_url
    error_message = "they are ${jsonencode(output.admin)}"
  }
  assert {
    condition     = output.functions["admin"].environment["PUBLIC_URL"] == "https://charts.example.com"
    error_message = "admin does not know its address"
  }
}

run "migrate_makes_a_role_only_for_iam" {
  command = plan
  variables {
    database      = { url = "postgres://app@db.example.com:5432/charts", resource_id = "db-ABC" }
    database_role = "app"
  }

  assert {
    condition     = output.migration == { grant = "app", login = "iam" }
    error_message = "it is ${jsonencode(output.migration)}"
  }
}

run "migrate_gives_rights_to_a_role_with_a_password" {
  command = plan
  variables {
    database      = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf" }
    database_role = "app"
  }

  assert {
    condition     = output.migration == { grant = "app" }
    error_message = "it is ${jsonencode(output.migration)}"
  }
}

run "migrate_gives_no_rights_unless_a_role_is_named" {
  command = plan

  assert {
    condition     = output.migration == {}
    error_message = "it is ${jsonencode(output.migration)}"
  }
}
