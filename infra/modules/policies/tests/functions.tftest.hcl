# Statement by statement, what each role may do: nothing else, nowhere else.

variables {
  account_id = "123456789012"
}

run "nothing_but_its_log_without_a_grant" {
  command = plan
  variables {
    functions = { migrate = {
      function_arn    = "arn:aws:lambda:us-east-1:123456789012:function:migrate"
      log_group_arn   = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/migrate"
      secret_key_arns = ["arn:aws:kms:us-east-1:123456789012:key/1"]
    } }
  }

  assert {
    condition = jsondecode(output.functions["migrate"]) == {
      Version = "2012-10-17"
      Statement = [{
        Sid      = "WriteItsLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/migrate:*"]
      }]
    }
    error_message = "it is ${output.functions["migrate"]}"
  }
}

run "ecr_events_reads_ecr_and_its_queue" {
  command = plan
  variables {
    functions = { ecr-events = {
      function_arn        = "arn:aws:lambda:us-east-1:123456789012:function:ecr-events"
      log_group_arn       = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/ecr-events"
      queue_arns          = ["arn:aws:sqs:us-east-1:123456789012:charts"]
      ecr_repository_arns = ["arn:aws:ecr:us-east-1:123456789012:repository/*"]
      database_user_arns  = ["arn:aws:rds-db:us-east-1:123456789012:dbuser:db-ABC/app"]
    } }
  }

  assert {
    condition = { for statement in jsondecode(output.functions["ecr-events"]).Statement : statement.Sid => [statement.Effect, statement.Action, statement.Resource] } == {
      WriteItsLog        = ["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/ecr-events:*"]]
      TakeFromItsQueue   = ["Allow", ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], ["arn:aws:sqs:us-east-1:123456789012:charts"]]
      LogInToEcr         = ["Allow", ["ecr:GetAuthorizationToken"], ["*"]]
      ReadEcr            = ["Allow", ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:ListImages"], ["arn:aws:ecr:us-east-1:123456789012:repository/*"]]
      LogInToItsDatabase = ["Allow", ["rds-db:connect"], ["arn:aws:rds-db:us-east-1:123456789012:dbuser:db-ABC/app"]]
    }
    error_message = "it is ${output.functions["ecr-events"]}"
  }
}

run "a_poller_of_ecr_uses_its_http_protocol_alone" {
  command = plan
  variables {
    functions = { oci-poll = {
      function_arn    = "arn:aws:lambda:us-east-1:123456789012:function:oci-poll"
      log_group_arn   = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/oci-poll"
      polled_ecr_arns = ["arn:aws:ecr:us-east-1:123456789012:repository/*"]
    } }
  }

  assert {
    condition = { for statement in jsondecode(output.functions["oci-poll"]).Statement : statement.Sid => [statement.Action, statement.Resource] if statement.Sid != "WriteItsLog" } == {
      LogInToEcr = [["ecr:GetAuthorizationToken"], ["*"]]
      PollEcr    = [["ecr:BatchGetImage", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:ListImages"], ["arn:aws:ecr:us-east-1:123456789012:repository/*"]]
    }
    error_message = "it is ${output.functions["oci-poll"]}"
  }
}

run "oci_poll_uses_its_table_and_its_secrets" {
  command = plan
  variables {
    functions = { oci-poll = {
      function_arn    = "arn:aws:lambda:us-east-1:123456789012:function:oci-poll"
      log_group_arn   = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/oci-poll"
      table_arns      = ["arn:aws:dynamodb:us-east-1:123456789012:table/cursor"]
      secret_arns     = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:ghcr-AbCdEf"]
      secret_key_arns = ["arn:aws:kms:us-east-1:123456789012:key/1"]
    } }
  }

  assert {
    condition = { for statement in jsondecode(output.functions["oci-poll"]).Statement : statement.Sid => [statement.Effect, statement.Action, statement.Resource] } == {
      WriteItsLog       = ["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/oci-poll:*"]]
      UseItsTable       = ["Allow", ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], ["arn:aws:dynamodb:us-east-1:123456789012:table/cursor"]]
      ReadItsSecrets    = ["Allow", ["secretsmanager:GetSecretValue"], ["arn:aws:secretsmanager:us-east-1:123456789012:secret:ghcr-AbCdEf"]]
      DecryptItsSecrets = ["Allow", ["kms:Decrypt"], ["arn:aws:kms:us-east-1:123456789012:key/1"]]
    }
    error_message = "it is ${output.functions["oci-poll"]}"
  }
  assert {
    condition = [for statement in jsondecode(output.functions["oci-poll"]).Statement : statement.Condition if can(statement.Condition)] == [
      { StringEquals = { "kms:EncryptionContext:SecretARN" = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:ghcr-AbCdEf"] } },
    ]
    error_message = "the key decrypts more than the secrets"
  }
}

run "in_a_vpc_lambda_attaches_it_and_its_code_may_not" {
  command = plan
  variables {
    functions = { admin = {
      function_arn  = "arn:aws:lambda:us-east-1:123456789012:function:admin"
      log_group_arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/admin"
      in_vpc        = true
    } }
  }

  assert {
    condition = [for statement in jsondecode(output.functions["admin"]).Statement : [statement.Sid, statement.Effect, statement.Resource]] == [
      ["WriteItsLog", "Allow", ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/admin:*"]],
      ["LetLambdaAttachItToTheVpc", "Allow", ["*"]],
      ["KeepTheCodeFromTheVpc", "Deny", ["*"]],
    ]
    error_message = "it is ${output.functions["admin"]}"
  }
  assert {
    condition     = jsondecode(output.functions["admin"]).Statement[1].Action == jsondecode(output.functions["admin"]).Statement[2].Action
    error_message = "something is allowed that is not kept from the code"
  }
  assert {
    condition     = jsondecode(output.functions["admin"]).Statement[2].Condition == { ArnEquals = { "lambda:SourceFunctionArn" = ["arn:aws:lambda:us-east-1:123456789012:function:admin"] } }
    error_message = "the code of another function is meant"
  }
}

run "schedules_invoke_and_put_aside" {
  command = plan
  variables {
    scheduler = {
      invoked_arns          = ["arn:aws:lambda:us-east-1:123456789012:function:oci-poll"]
      dead_letter_queue_arn = "arn:aws:sqs:us-east-1:123456789012:dead"
      group_arn             = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/x"
    }
  }

  assert {
    condition = [for statement in jsondecode(output.scheduler).Statement : [statement.Action, statement.Resource]] == [
      [["lambda:InvokeFunction"], ["arn:aws:lambda:us-east-1:123456789012:function:oci-poll"]],
      [["sqs:SendMessage"], ["arn:aws:sqs:us-east-1:123456789012:dead"]],
    ]
    error_message = "it is ${output.scheduler}"
  }
  assert {
    condition = jsondecode(output.trust.scheduler).Statement[0].Condition == {
      ArnEquals    = { "aws:SourceArn" = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/x" }
      StringEquals = { "aws:SourceAccount" = "123456789012" }
    }
    error_message = "schedules of others may take on the role"
  }
}

run "a_queue_takes_from_its_rule_alone" {
  command = plan
  variables {
    queues = { home = {
      queue_arn             = "arn:aws:sqs:us-east-1:123456789012:charts"
      dead_letter_queue_arn = "arn:aws:sqs:us-east-1:123456789012:charts-dlq"
      rule_arn              = "arn:aws:events:us-east-1:123456789012:rule/home"
    } }
  }

  assert {
    condition = { for arn, policy in output.queues : arn => [for statement in jsondecode(policy).Statement : [statement.Effect, statement.Action, statement.Resource, statement.Condition]] } == {
      for arn in ["arn:aws:sqs:us-east-1:123456789012:charts", "arn:aws:sqs:us-east-1:123456789012:charts-dlq"] : arn => [
        ["Allow", ["sqs:SendMessage"], [arn], { ArnEquals = { "aws:SourceArn" = "arn:aws:events:us-east-1:123456789012:rule/home" } }],
        ["Deny", ["sqs:*"], [arn], { Bool = { "aws:SecureTransport" = "false" } }],
      ]
    }
    error_message = "it is ${jsonencode(output.queues)}"
  }
}

run "a_rule_forwards_to_one_bus" {
  command = plan
  variables {
    forward = {
      rule_arns     = ["arn:aws:events:us-west-2:123456789012:rule/forward"]
      event_bus_arn = "arn:aws:events:us-east-1:123456789012:event-bus/default"
    }
  }

  assert {
    condition     = [for statement in jsondecode(output.forward).Statement : [statement.Action, statement.Resource]] == [[["events:PutEvents"], ["arn:aws:events:us-east-1:123456789012:event-bus/default"]]]
    error_message = "it is ${output.forward}"
  }
  assert {
    condition = jsondecode(output.trust.events).Statement[0].Condition == {
      ArnEquals    = { "aws:SourceArn" = ["arn:aws:events:us-west-2:123456789012:rule/forward"] }
      StringEquals = { "aws:SourceAccount" = "123456789012" }
    }
    error_message = "rules of others may take on the role"
  }
}

run "what_is_no_arn_is_refused" {
  command = plan
  variables {
    functions = { admin = {
      function_arn  = "arn:aws:lambda:us-east-1:123456789012:function:admin"
      log_group_arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/admin"
      secret_arns   = ["*"]
    } }
  }

  expect_failures = [var.functions]
}

run "a_queue_without_a_rule_takes_from_roles_alone" {
  command = plan
  variables {
    queues = { hints = {
      queue_arn             = "arn:aws:sqs:us-east-1:123456789012:hints"
      dead_letter_queue_arn = "arn:aws:sqs:us-east-1:123456789012:hints-dlq"
    } }
  }

  assert {
    condition     = alltrue([for policy in output.queues : [for statement in jsondecode(policy).Statement : [statement.Effect, statement.Action]] == [["Deny", ["sqs:*"]]]])
    error_message = "it is ${jsonencode(output.queues)}"
  }
}

run "keys_only_through_their_service" {
  command = plan
  variables {
    functions = {
      oci-poll = {
        function_arn   = "arn:aws:lambda:us-east-1:123456789012:function:oci-poll"
        log_group_arn  = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/oci-poll"
        queue_arns     = ["arn:aws:sqs:us-east-1:123456789012:hints"]
        table_arns     = ["arn:aws:dynamodb:us-east-1:123456789012:table/cursor"]
        queue_key_arns = ["arn:aws:kms:us-east-1:123456789012:key/queues"]
        table_key_arns = ["arn:aws:kms:us-east-1:123456789012:key/table"]
      }
      oci-events = {
        function_arn    = "arn:aws:lambda:us-east-1:123456789012:function:oci-events"
        log_group_arn   = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/oci-events"
        sent_queue_arns = ["arn:aws:sqs:us-east-1:123456789012:hints"]
        queue_key_arns  = ["arn:aws:kms:us-east-1:123456789012:key/queues"]
        table_key_arns  = ["arn:aws:kms:us-east-1:123456789012:key/table"]
      }
    }
    scheduler = {
      invoked_arns          = []
      dead_letter_queue_arn = "arn:aws:sqs:us-east-1:123456789012:dead"
      queue_key_arns        = ["arn:aws:kms:us-east-1:123456789012:key/queues"]
      group_arn             = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/x"
    }
  }

  assert {
    condition = { for role, policy in merge(output.functions, { scheduler = output.scheduler }) : role => {
      for statement in jsondecode(policy).Statement : statement.Sid => [statement.Action, statement.Resource, statement.Condition] if can(statement.Condition)
      } } == {
      oci-poll = {
        ReadEncryptedMessages = [["kms:Decrypt"], ["arn:aws:kms:us-east-1:123456789012:key/queues"], { StringEquals = { "kms:ViaService" = "sqs.us-east-1.amazonaws.com" } }]
        UseTheKeyOfItsTable   = [["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"], ["arn:aws:kms:us-east-1:123456789012:key/table"], { StringEquals = { "kms:ViaService" = "dynamodb.us-east-1.amazonaws.com" } }]
      }
      oci-events = {
        SendEncryptedMessages = [["kms:Decrypt", "kms:GenerateDataKey"], ["arn:aws:kms:us-east-1:123456789012:key/queues"], { StringEquals = { "kms:ViaService" = "sqs.us-east-1.amazonaws.com" } }]
      }
      scheduler = {
        EncryptWhatItPutsAside = [["kms:Decrypt", "kms:GenerateDataKey"], ["arn:aws:kms:us-east-1:123456789012:key/queues"], { StringEquals = { "kms:ViaService" = "sqs.us-east-1.amazonaws.com" } }]
      }
    }
    error_message = "they are ${jsonencode(output.functions)} ${output.scheduler}"
  }
}

run "each_piece_decrypts_its_own_secrets" {
  command = plan
  variables {
    functions = { oci-poll = {
      function_arn     = "arn:aws:lambda:us-east-1:123456789012:function:oci-poll"
      log_group_arn    = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/oci-poll"
      secret_arns      = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf"]
      more_secret_arns = [["arn:aws:secretsmanager:us-east-1:123456789012:secret:b-AbCdEf"]]
      secret_key_arns  = ["arn:aws:kms:us-east-1:123456789012:key/1"]
    } }
  }

  assert {
    condition = [for policy in output.more["oci-poll"] : [for statement in jsondecode(policy).Statement : [statement.Action, statement.Resource]]] == [[
      [["secretsmanager:GetSecretValue"], ["arn:aws:secretsmanager:us-east-1:123456789012:secret:b-AbCdEf"]],
      [["kms:Decrypt"], ["arn:aws:kms:us-east-1:123456789012:key/1"]],
    ]]
    error_message = "they are ${jsonencode(output.more)}"
  }
  assert {
    condition     = jsondecode(output.more["oci-poll"][0]).Statement[1].Condition.StringEquals["kms:EncryptionContext:SecretARN"] == ["arn:aws:secretsmanager:us-east-1:123456789012:secret:b-AbCdEf"]
    error_message = "the key decrypts the secrets of another piece"
  }
}

run "more_than_an_inline_policy_takes" {
  command = plan
  variables {
    functions = { oci-poll = {
      function_arn  = "arn:aws:lambda:us-east-1:123456789012:function:oci-poll"
      log_group_arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/oci-poll"
      secret_arns   = [for number in range(200) : "arn:aws:secretsmanager:us-east-1:123456789012:secret:registry-${number}-AbCdEf"]
    } }
  }

  expect_failures = [output.functions]
}

run "more_than_a_managed_policy_takes" {
  command = plan
  variables {
    functions = { oci-poll = {
      function_arn     = "arn:aws:lambda:us-east-1:123456789012:function:oci-poll"
      log_group_arn    = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/oci-poll"
      more_secret_arns = [[for number in range(100) : "arn:aws:secretsmanager:us-east-1:123456789012:secret:registry-${number}-AbCdEf"]]
    } }
  }

  expect_failures = [output.more]
}

run "more_policies_than_a_role_takes" {
  command = plan
  variables {
    functions = { oci-poll = {
      function_arn     = "arn:aws:lambda:us-east-1:123456789012:function:oci-poll"
      log_group_arn    = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/oci-poll"
      more_secret_arns = [for number in range(11) : ["arn:aws:secretsmanager:us-east-1:123456789012:secret:registry-${number}-AbCdEf"]]
    } }
  }

  expect_failures = [output.more]
}
