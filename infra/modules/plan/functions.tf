locals {
  defaults = {
    ecr-events = { memory_size = 256, timeout = 60 }
    # An invocation makes passes for 60 seconds. After that, it may continue a scan that is not complete.
    oci-poll   = { memory_size = 256, timeout = 120 }
    tag-parser = { memory_size = 256, timeout = 300 }
    migrate    = { memory_size = 256, timeout = 300 }
    admin      = { memory_size = 256, timeout = 30 }
    # Senders wait for seconds only. A body has 5 s, the secret 2 s, and the queue 2.5 s.
    oci-events = { memory_size = 256, timeout = 15 }
  }
  settings = {
    for program, default in local.defaults : program => {
      memory_size          = coalesce(try(var.functions[program].memory_size, null), default.memory_size)
      timeout              = coalesce(try(var.functions[program].timeout, null), default.timeout)
      reserved_concurrency = try(var.functions[program].reserved_concurrency, null)
    }
  }

  # The program of each function, and its own instance.
  programs = merge(
    { migrate = { program = "migrate", instance = null }, admin = { program = "admin", instance = null } },
    length(local.oci) == 0 ? {} : { oci-poll = { program = "oci-poll", instance = null } },
    length(local.webhooks) == 0 ? {} : { oci-events = { program = "oci-events", instance = null } },
    local.enable_tag_parser ? { tag-parser = { program = "tag-parser", instance = null } } : {},
    { for name, instance in local.ecr : "ecr-events-${name}" => { program = "ecr-events", instance = name } },
  )

  functions = {
    for key, function in local.programs : key => merge(local.settings[function.program], {
      name        = "${var.name}-${key}"
      arn         = "${local.function_arn}:${var.name}-${key}"
      program     = function.program
      log_group   = "/aws/lambda/${var.name}-${key}"
      in_vpc      = var.in_vpc && function.program != "oci-events"
      environment = { for variable, value in merge(local.environment, local.own_environment[key]) : variable => value if value != null }
    })
  }
  function_arn = "arn:${var.home.partition}:lambda:${var.home.region}:${var.home.account_id}:function"

  cursor_table = "${var.name}-cursor"
  tables       = toset(contains(keys(local.programs), "oci-poll") ? [local.cursor_table] : [])

  environment = {
    # A function that starts without this variable restarts itself with it.
    MALLOC_MMAP_THRESHOLD_ = "131072"
    RUST_LOG               = var.rust_log
    METRICS_NAMESPACE      = var.name == "chart-discovery" ? null : local.namespace
  }
  # `oci-events` has no database, so that it takes hints while the database is away.
  logins = {
    for key, function in local.programs : key => function.program == "migrate" ? var.migrate_database : var.database
    if function.program != "oci-events"
  }
  database_environment = {
    for key, login in local.logins : key => {
      DATABASE_SECRET_ARN = login.secret_arn
      DATABASE_URL        = login.url
      DATABASE_CA_FILE    = var.database_ca_file
      DATABASE_IAM_AUTH   = login.url == null || login.secret_arn != null ? null : "true"
    }
  }
  allowed_addresses = length(var.allowed_addresses) == 0 ? null : join(",", var.allowed_addresses)
  program_environment = {
    ecr-events = { ENABLE_TAG_PARSER = tostring(local.enable_tag_parser), ALLOWED_ADDRESSES = local.allowed_addresses }
    oci-poll = {
      ENABLE_TAG_PARSER = tostring(local.enable_tag_parser)
      ALLOWED_ADDRESSES = local.allowed_addresses
      CURSOR_TABLE      = local.cursor_table
    }
    oci-events = { WEBHOOKS = jsonencode(local.webhooks), HINT_QUEUE_URL = one(values(local.hint_queues)[*].url) }
    tag-parser = { ENABLE_TAG_PARSER = "true" }
    migrate    = {}
    admin = {
      ENABLE_TAG_PARSER   = tostring(local.enable_tag_parser)
      TAG_PARSER_FUNCTION = local.enable_tag_parser ? "${var.name}-tag-parser" : null
      ADMIN_AUTH          = var.admin.auth
      PUBLIC_URL          = var.public_url
      OIDC_SECRET_ARN     = var.admin.oidc_secret_arn
      SITE_ADMINS         = length(var.admin.site_admins) == 0 ? null : join(",", var.admin.site_admins)
    }
  }
  instance_environment = {
    for name, instance in local.ecr : name => {
      INSTANCE_NAME = name
      KIND_NAMING   = instance.kind_naming
      ECR_ACCOUNTS  = join(",", local.accounts[name])
      ECR_SELECTION = length(instance.selection) == 0 ? null : jsonencode(instance.selection)
    }
  }
  own_environment = {
    for key, function in local.programs : key => merge(
      lookup(local.database_environment, key, {}),
      local.program_environment[function.program],
      try(local.instance_environment[function.instance], {}),
    )
  }
}
