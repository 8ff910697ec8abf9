locals {
  # A role's inline policies have 10,240 characters together. What grows with the instances is cut into pieces of this
  # many ARNs, and all but the first are policies of their own.
  piece            = 20
  registry_secrets = chunklist(flatten([for instance in local.oci : instance.secret_arns]), local.piece)
  webhook_secrets  = chunklist(flatten([for instance in local.oci : instance.webhook_secret_arns]), local.piece)
  secrets = {
    for key, function in local.programs : key => lookup({ oci-poll = local.registry_secrets, oci-events = local.webhook_secrets }, function.program, [])
  }
  invoked = { for key, function in local.programs : key => function.program == "admin" ? chunklist(local.invoked_by_admin, local.piece) : [] }

  ecr_arns = {
    for name, instance in local.ecr : name => [
      for account in local.accounts[name] : "arn:${var.home.partition}:ecr:${instance.region}:${account}:repository/*"
    ]
  }
  database_users = {
    for key, login in local.logins : key => [
      for url in compact([login.secret_arn == null ? login.url : null]) :
      "arn:${var.home.partition}:rds-db:${var.home.region}:${var.home.account_id}:dbuser:${login.resource_id}/${regex("://([^@]+)@", url)[0]}"
    ]
  }
  # Admin invokes tag-parser to parse tags again, and the other functions for a diagnosis.
  invoked_by_admin = [for key, function in local.functions : function.arn if contains(["ecr-events", "oci-poll", "tag-parser"], function.program)]

  grants = {
    for key, function in local.programs : key => {
      function_arn  = local.functions[key].arn
      log_group_arn = "arn:${var.home.partition}:logs:${var.home.region}:${var.home.account_id}:log-group:${local.functions[key].log_group}"
      queue_arns = (
        function.program == "ecr-events" ? [local.queues[function.instance].arn]
        : function.program == "oci-poll" ? [for queue in local.hint_queues : queue.arn] : []
      )
      sent_queue_arns     = function.program == "oci-events" ? [for queue in local.hint_queues : queue.arn] : []
      table_arns          = function.program == "oci-poll" ? ["arn:${var.home.partition}:dynamodb:${var.home.region}:${var.home.account_id}:table/${local.cursor_table}"] : []
      ecr_repository_arns = function.program == "ecr-events" ? local.ecr_arns[function.instance] : []
      polled_ecr_arns     = function.program == "oci-poll" ? distinct(flatten([for instance in local.oci : instance.ecr_arns])) : []
      secret_arns = distinct(concat(
        [for arn in [try(local.logins[key].secret_arn, null)] : arn if arn != null],
        [for arn in [var.admin.oidc_secret_arn] : arn if arn != null && function.program == "admin"],
        [for arn in try(local.secrets[key][0], []) : arn if arn != null],
      ))
      more_secret_arns   = [for at, piece in local.secrets[key] : distinct([for arn in piece : arn if arn != null]) if at > 0]
      secret_key_arns    = var.secret_key_arns
      database_user_arns = lookup(local.database_users, key, [])
      invoked_arns       = try(local.invoked[key][0], [])
      more_invoked_arns  = [for at, piece in local.invoked[key] : piece if at > 0]
      queue_key_arns     = [for arn in [var.kms_keys.queues] : arn if arn != null]
      table_key_arns     = [for arn in [var.kms_keys.table] : arn if arn != null]
      in_vpc             = local.functions[key].in_vpc
    }
  }

  schedule_group = var.name
}

module "policies" {
  source = "../policies"

  account_id = var.home.account_id
  services   = { region = var.home.region, dns_suffix = var.home.dns_suffix }
  functions  = local.grants
  queues = merge(
    {
      for name, queue in local.queues : queue.name => {
        queue_arn             = queue.arn
        dead_letter_queue_arn = queue.dead_letter_queue_arn
        rule_arn              = local.rules[name].arn
      }
    },
    {
      for name, queue in local.hint_queues : name => {
        queue_arn             = queue.arn
        dead_letter_queue_arn = queue.dead_letter_queue_arn
        rule_arn              = null
      }
    },
  )
  scheduler = {
    invoked_arns          = distinct([for schedule in local.schedules : local.functions[schedule.function].arn])
    dead_letter_queue_arn = "${local.queue_arn}:${local.schedule_dead_letter_queue}"
    queue_key_arns        = [for arn in [var.kms_keys.queues] : arn if arn != null]
    group_arn             = "arn:${var.home.partition}:scheduler:${var.home.region}:${var.home.account_id}:schedule-group/${local.schedule_group}"
  }
}
