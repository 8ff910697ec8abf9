locals {
  scheduler = var.scheduler == null ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in [
        {
          Sid      = "InvokeFunctions"
          Effect   = "Allow"
          Action   = ["lambda:InvokeFunction"]
          Resource = var.scheduler.invoked_arns
        },
        {
          Sid      = "PutAsideWhatWasNotTaken"
          Effect   = "Allow"
          Action   = ["sqs:SendMessage"]
          Resource = [var.scheduler.dead_letter_queue_arn]
        },
        {
          Sid       = "EncryptWhatItPutsAside"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = var.scheduler.queue_key_arns
          Condition = { StringEquals = { "kms:ViaService" = local.sqs } }
        },
      ] : statement if length(statement.Resource) > 0
    ]
  })

  forward = var.forward == null ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "ForwardEvents"
      Effect   = "Allow"
      Action   = ["events:PutEvents"]
      Resource = [var.forward.event_bus_arn]
    }]
  })

  # SQS and DynamoDB use a key in the name of the role that calls them.
  sqs      = "sqs.${var.services.region}.${var.services.dns_suffix}"
  dynamodb = "dynamodb.${var.services.region}.${var.services.dns_suffix}"

  # A rule sends to its queue. An event that cannot be delivered goes to the dead-letter queue.
  senders = merge(
    { for queue in var.queues : queue.queue_arn => queue.rule_arn },
    { for queue in var.queues : queue.dead_letter_queue_arn => queue.rule_arn },
  )
  queues = {
    for queue_arn, rule_arn in local.senders : queue_arn => jsonencode({
      Version = "2012-10-17"
      Statement = [for statement in [
        rule_arn == null ? null : {
          Sid       = "TakeFromTheRule"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = ["sqs:SendMessage"]
          Resource  = [queue_arn]
          Condition = { ArnEquals = { "aws:SourceArn" = rule_arn } }
        },
        {
          Sid       = "RefusePlainHttp"
          Effect    = "Deny"
          Principal = "*"
          Action    = ["sqs:*"]
          Resource  = [queue_arn]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ] : statement if statement != null]
    })
  }

  own_account = { StringEquals = { "aws:SourceAccount" = var.account_id } }
  conditions = {
    lambda    = null
    events    = var.forward == null ? null : merge(local.own_account, { ArnEquals = { "aws:SourceArn" = var.forward.rule_arns } })
    scheduler = var.scheduler == null ? null : merge(local.own_account, { ArnEquals = { "aws:SourceArn" = var.scheduler.group_arn } })
  }
  trust = {
    for service, condition in local.conditions : service => jsonencode({
      Version = "2012-10-17"
      Statement = [merge(
        {
          Effect    = "Allow"
          Principal = { Service = "${service}.amazonaws.com" }
          Action    = ["sts:AssumeRole"]
        },
        condition == null ? {} : { Condition = condition },
      )]
    })
  }
}
