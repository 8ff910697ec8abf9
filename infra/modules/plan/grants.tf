locals {
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
      function_arn        = local.functions[key].arn
      log_group_arn       = "arn:${var.home.partition}:logs:${var.home.region}:${var.home.account_id}:log-group:${local.functions[key].log_group}"
      queue_arns          = function.program == "ecr-events" ? [local.queues[function.instance].arn] : []
      table_arns          = function.program == "oci-poll" ? ["arn:${var.home.partition}:dynamodb:${var.home.region}:${var.home.account_id}:table/${local.cursor_table}"] : []
      ecr_repository_arns = function.program == "ecr-events" ? local.ecr_arns[function.instance] : function.program == "oci-poll" ? distinct(flatten([for instance in local.oci : instance.ecr_arns])) : []
      secret_arns = distinct(concat(
        [for arn in [local.logins[key].secret_arn] : arn if arn != null],
        [for arn in [var.admin.oidc_secret_arn] : arn if arn != null && function.program == "admin"],
        function.program == "oci-poll" ? flatten([for instance in local.oci : instance.secret_arns]) : [],
      ))
      secret_key_arns    = var.secret_key_arns
      database_user_arns = local.database_users[key]
      invoked_arns       = function.program == "admin" ? local.invoked_by_admin : []
      in_vpc             = var.in_vpc
    }
  }

  schedule_group = var.name
}

module "policies" {
  source = "../policies"

  account_id = var.home.account_id
  functions  = local.grants
  queues = {
    for name, queue in local.queues : name => {
      queue_arn             = queue.arn
      dead_letter_queue_arn = queue.dead_letter_queue_arn
      rule_arn              = local.rules[name].arn
    }
  }
  scheduler = {
    invoked_arns          = distinct([for schedule in local.schedules : local.functions[schedule.function].arn])
    dead_letter_queue_arn = "${local.queue_arn}:${local.schedule_dead_letter_queue}"
    group_arn             = "arn:${var.home.partition}:scheduler:${var.home.region}:${var.home.account_id}:schedule-group/${local.schedule_group}"
  }
}
