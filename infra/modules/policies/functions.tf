locals {
  read_ecr = [
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetDownloadUrlForLayer",
    "ecr:ListImages",
  ]
  # A poller uses the HTTP protocol alone. The catalog there needs the second of these.
  poll_ecr = [
    "ecr:BatchGetImage",
    "ecr:DescribeRepositories",
    "ecr:GetDownloadUrlForLayer",
    "ecr:ListImages",
  ]
  # Lambda itself uses these permissions of the role to connect the function to a VPC.
  network_interfaces = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]

  own_statements = {
    for key, function in var.functions : key => [
      for statement in [
        {
          Sid      = "WriteItsLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${function.log_group_arn}:*"]
        },
        {
          Sid      = "TakeFromItsQueue"
          Effect   = "Allow"
          Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
          Resource = function.queue_arns
        },
        {
          Sid      = "SendToItsQueue"
          Effect   = "Allow"
          Action   = ["sqs:SendMessage"]
          Resource = function.sent_queue_arns
        },
        {
          Sid       = "ReadEncryptedMessages"
          Effect    = "Allow"
          Action    = ["kms:Decrypt"]
          Resource  = length(function.queue_arns) > 0 ? function.queue_key_arns : []
          Condition = { StringEquals = { "kms:ViaService" = local.sqs } }
        },
        {
          Sid       = "SendEncryptedMessages"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = length(function.sent_queue_arns) > 0 ? function.queue_key_arns : []
          Condition = { StringEquals = { "kms:ViaService" = local.sqs } }
        },
        {
          Sid      = "UseItsTable"
          Effect   = "Allow"
          Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
          Resource = function.table_arns
        },
        {
          # What AWS's documentation names for readers and writers of a table with a key of one's own.
          Sid       = "UseTheKeyOfItsTable"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
          Resource  = length(function.table_arns) > 0 ? function.table_key_arns : []
          Condition = { StringEquals = { "kms:ViaService" = local.dynamodb } }
        },
        {
          # ECR does not tie this call to a repository. The token gives access only to what the other statements allow.
          Sid      = "LogInToEcr"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = length(concat(function.ecr_repository_arns, function.polled_ecr_arns)) > 0 ? ["*"] : []
        },
        {
          Sid      = "ReadEcr"
          Effect   = "Allow"
          Action   = local.read_ecr
          Resource = function.ecr_repository_arns
        },
        {
          Sid      = "PollEcr"
          Effect   = "Allow"
          Action   = local.poll_ecr
          Resource = function.polled_ecr_arns
        },
        {
          Sid      = "LogInToItsDatabase"
          Effect   = "Allow"
          Action   = ["rds-db:connect"]
          Resource = function.database_user_arns
        },
        {
          # Most of these actions need `*`, because the network interfaces do not exist yet.
          Sid      = "LetLambdaAttachItToTheVpc"
          Effect   = "Allow"
          Action   = local.network_interfaces
          Resource = function.in_vpc ? ["*"] : []
        },
        {
          # Lambda needs the statement before. This one denies the same actions to the function's code.
          Sid       = "KeepTheCodeFromTheVpc"
          Effect    = "Deny"
          Action    = local.network_interfaces
          Resource  = function.in_vpc ? ["*"] : []
          Condition = { ArnEquals = { "lambda:SourceFunctionArn" = [function.function_arn] } }
        },
      ] : statement if length(statement.Resource) > 0
    ]
  }

  # These lists grow with the instances, so they come in pieces. The first piece is in the inline policy.
  pieces = {
    for key, function in var.functions : key => [
      for at in range(1 + max(length(function.more_secret_arns), length(function.more_invoked_arns))) : {
        secrets = at == 0 ? function.secret_arns : try(function.more_secret_arns[at - 1], [])
        invoked = at == 0 ? function.invoked_arns : try(function.more_invoked_arns[at - 1], [])
      }
    ]
  }
  piece_statements = {
    for key, pieces in local.pieces : key => [
      for piece in pieces : [
        for statement in [
          {
            Sid      = "ReadItsSecrets"
            Effect   = "Allow"
            Action   = ["secretsmanager:GetSecretValue"]
            Resource = piece.secrets
          },
          {
            Sid       = "DecryptItsSecrets"
            Effect    = "Allow"
            Action    = ["kms:Decrypt"]
            Resource  = length(piece.secrets) > 0 ? var.functions[key].secret_key_arns : []
            Condition = { StringEquals = { "kms:EncryptionContext:SecretARN" = piece.secrets } }
          },
          {
            Sid      = "InvokeFunctions"
            Effect   = "Allow"
            Action   = ["lambda:InvokeFunction"]
            Resource = piece.invoked
          },
        ] : statement if length(statement.Resource) > 0
      ]
    ]
  }

  functions = {
    for key, statements in local.own_statements : key => jsonencode({
      Version   = "2012-10-17"
      Statement = concat(statements, local.piece_statements[key][0])
    })
  }
  more = {
    for key, pieces in local.piece_statements : key => [
      for at, statements in pieces : jsonencode({ Version = "2012-10-17", Statement = statements }) if at > 0
    ]
  }
}
