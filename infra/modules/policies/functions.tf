locals {
  read_ecr = [
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
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

  statements = {
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
          Sid      = "UseItsTable"
          Effect   = "Allow"
          Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
          Resource = function.table_arns
        },
        {
          # ECR does not tie this call to a repository. The token gives access only to what the other statements allow.
          Sid      = "LogInToEcr"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = length(function.ecr_repository_arns) > 0 ? ["*"] : []
        },
        {
          Sid      = "ReadEcr"
          Effect   = "Allow"
          Action   = local.read_ecr
          Resource = function.ecr_repository_arns
        },
        {
          Sid      = "ReadItsSecrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = function.secret_arns
        },
        {
          Sid       = "DecryptItsSecrets"
          Effect    = "Allow"
          Action    = ["kms:Decrypt"]
          Resource  = length(function.secret_arns) > 0 ? function.secret_key_arns : []
          Condition = { StringEquals = { "kms:EncryptionContext:SecretARN" = function.secret_arns } }
        },
        {
          Sid      = "LogInToItsDatabase"
          Effect   = "Allow"
          Action   = ["rds-db:connect"]
          Resource = function.database_user_arns
        },
        {
          Sid      = "InvokeFunctions"
          Effect   = "Allow"
          Action   = ["lambda:InvokeFunction"]
          Resource = function.invoked_arns
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

  functions = { for key, statements in local.statements : key => jsonencode({ Version = "2012-10-17", Statement = statements }) }
}
