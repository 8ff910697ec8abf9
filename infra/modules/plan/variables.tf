variable "name" {
  description = "Prefix of the names of all resources."
  type        = string
  default     = "chart-discovery"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name must have 1 to 20 lower case letters, digits and -, and begin with a letter."
  }
}

variable "queue_name_exact" {
  description = "Calls the queues `queueName` even if `name` is not the default. Two installations in one account need different names of queues then."
  type        = bool
  default     = false
  nullable    = false
}

variable "home" {
  description = "Where the queues and functions are: `partition` (aws), `dns_suffix` of the addresses there, `region`, `account_id` (twelve digits)."
  type = object({
    partition  = string
    dns_suffix = optional(string, "amazonaws.com")
    region     = string
    account_id = string
  })
  nullable = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.home.account_id)) && startswith(var.home.partition, "aws")
    error_message = "home.account_id must have twelve digits, home.partition begin with aws."
  }
}

variable "filter_media_types" {
  description = "Keeps out events whose artifact media type is not Helm's."
  type        = bool
  default     = true
  nullable    = false
}

variable "enable_tag_parser" {
  description = "Whether the functions parse tags, and whether `tag-parser` exists."
  type        = bool
  default     = false
  nullable    = false
}

variable "database" {
  description = "The credentials of all functions except `migrate` for the database: `secret_arn`; or `url` without a password, and `resource_id`, for IAM authentication. A secret without a host, such as RDS's own, needs `url` without a user beside it."
  type = object({
    secret_arn  = optional(string)
    url         = optional(string)
    resource_id = optional(string)
  })
  nullable = false

  validation {
    condition     = var.database.secret_arn != null || var.database.url != null
    error_message = "database must have secret_arn or url."
  }
  validation {
    condition     = can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$", coalesce(var.database.secret_arn, "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf")))
    error_message = "database.secret_arn must be the whole ARN of a secret, with the hyphen and the six characters at its end: a policy for a shorter one allows nothing."
  }
  validation {
    condition     = var.database.url == null || can(regex(var.database.secret_arn == null ? "^postgres(ql)?://[A-Za-z0-9_.-]+@[^:@/?]+(:[0-9]+)?/[^/?]+" : "^postgres(ql)?://[^:@/?]+(:[0-9]+)?/[^/?]+", var.database.url))
    error_message = "database.url must be postgres://USER@HOST:PORT/DBNAME without a password, because it shows in the function's settings; beside secret_arn it is postgres://HOST:PORT/DBNAME."
  }
  validation {
    condition     = var.database.url == null || (var.database.resource_id == null) == (var.database.secret_arn != null)
    error_message = "database.resource_id must be given with url, unless secret_arn has the credentials: the one database that the user may log in to."
  }
  validation {
    condition     = can(regex("^(db|cluster|prx)-[A-Za-z0-9]+$", coalesce(var.database.resource_id, "db-X")))
    error_message = "database.resource_id must be the resource id of an instance, a cluster or a proxy (db-…, cluster-…, prx-…)."
  }
}

variable "migrate_database" {
  description = "The credentials of `migrate`, which must own the tables. The fields are those of `database`."
  type = object({
    secret_arn  = optional(string)
    url         = optional(string)
    resource_id = optional(string)
  })
  nullable = false

  validation {
    condition     = var.migrate_database.secret_arn != null || var.migrate_database.url != null
    error_message = "migrate_database must have secret_arn or url."
  }
  validation {
    condition     = can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$", coalesce(var.migrate_database.secret_arn, "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf")))
    error_message = "migrate_database.secret_arn must be the whole ARN of a secret, with the hyphen and the six characters at its end: a policy for a shorter one allows nothing."
  }
  validation {
    condition     = var.migrate_database.url == null || can(regex(var.migrate_database.secret_arn == null ? "^postgres(ql)?://[A-Za-z0-9_.-]+@[^:@/?]+(:[0-9]+)?/[^/?]+" : "^postgres(ql)?://[^:@/?]+(:[0-9]+)?/[^/?]+", var.migrate_database.url))
    error_message = "migrate_database.url must be postgres://USER@HOST:PORT/DBNAME without a password, because it shows in the function's settings; beside secret_arn it is postgres://HOST:PORT/DBNAME."
  }
  validation {
    condition     = var.migrate_database.url == null || (var.migrate_database.resource_id == null) == (var.migrate_database.secret_arn != null)
    error_message = "migrate_database.resource_id must be given with url, unless secret_arn has the credentials: the one database that the user may log in to."
  }
  validation {
    condition     = can(regex("^(db|cluster|prx)-[A-Za-z0-9]+$", coalesce(var.migrate_database.resource_id, "db-X")))
    error_message = "migrate_database.resource_id must be the resource id of an instance, a cluster or a proxy (db-…, cluster-…, prx-…)."
  }
}

variable "database_role" {
  description = "Name of the role that `database` logs in as. Null: `migrate` gives no rights."
  type        = string
  default     = null
}

variable "database_ca_file" {
  description = "Path, inside the functions, of the PEM file with the certificates that the database's is checked against."
  type        = string
  default     = null

  validation {
    condition     = startswith(coalesce(var.database_ca_file, "/"), "/")
    error_message = "database_ca_file must be an absolute path, such as /opt/rds.pem."
  }
}

variable "secret_key_arns" {
  description = "ARNs of customer managed keys that secrets are encrypted with; none for Secrets Manager's own key."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "kms_keys" {
  description = "ARNs of customer managed keys: `queues`, `table`. Null: AWS's own keys."
  type = object({
    queues = optional(string)
    table  = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for arn in [var.kms_keys.queues, var.kms_keys.table] : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", coalesce(arn, "arn:aws:kms:us-east-1:123456789012:key/x")))])
    error_message = "kms_keys.queues and kms_keys.table must be ARNs of keys (…:key/…), because a policy for an alias allows nothing."
  }
}

variable "allowed_addresses" {
  description = "Hosts and CIDRs that registries may send the functions to although they are private."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "admin" {
  description = "The users of the admin pages: `auth` (`iam` or `oidc`), `principals` (ARNs that may call the Function URL, with `iam`), `site_admins` (who may change things), `oidc_secret_arn`, `function_url` (whether there is a Function URL)."
  type = object({
    auth            = optional(string, "iam")
    principals      = optional(list(string), [])
    site_admins     = optional(list(string), [])
    oidc_secret_arn = optional(string)
    function_url    = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["iam", "oidc"], var.admin.auth)
    error_message = "admin.auth must be \"iam\" or \"oidc\"."
  }
  validation {
    condition     = (var.admin.auth == "oidc") == (var.admin.oidc_secret_arn != null)
    error_message = "admin.oidc_secret_arn must be given with auth = \"oidc\", and only then."
  }
  validation {
    condition     = can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$", coalesce(var.admin.oidc_secret_arn, "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf")))
    error_message = "admin.oidc_secret_arn must be the whole ARN of a secret, with the hyphen and the six characters at its end."
  }
  validation {
    condition     = var.admin.auth == "iam" || length(var.admin.principals) == 0
    error_message = "admin.principals are those of auth = \"iam\"; with oidc the provider says who may log in."
  }
  validation {
    condition     = var.admin.function_url || length(var.admin.principals) == 0
    error_message = "admin.principals may call the Function URL, and admin.function_url = false makes none: what is in front of the function says who may call it."
  }
  validation {
    condition     = !contains(var.admin.principals, "*")
    error_message = "admin.principals must name accounts, users or roles: with \"*\" any AWS account could call the URL."
  }
  validation {
    condition     = alltrue([for one in var.admin.site_admins : var.admin.auth == "iam" ? startswith(one, "arn:") : can(regex("@|^group:", one))])
    error_message = "admin.site_admins must be ARNs with auth = \"iam\", and e-mail addresses or group:NAME with \"oidc\"."
  }
}

variable "public_url" {
  description = "The address of the admin pages as users see it, such as that of CloudFront in front of them. Null: the Function URL."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^https://[^/?#@ ]+(/[^?# ]*)?$", coalesce(var.public_url, "https://example.com")))
    error_message = "public_url must be an address such as https://charts.example.com, without a query or a fragment."
  }
}

variable "webhooks" {
  description = "Whether `oci-events` has a Function URL."
  type        = object({ function_url = optional(bool, true) })
  default     = {}
  nullable    = false
}

variable "functions" {
  description = "Settings by function (`ecr-events`, `oci-poll`, `oci-events`, `tag-parser`, `migrate`, `admin`) that replace the usual ones: `memory_size` (MB), `timeout` (seconds), `reserved_concurrency` (invocations at a time)."
  type = map(object({
    memory_size          = optional(number)
    timeout              = optional(number)
    reserved_concurrency = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.functions), ["ecr-events", "oci-poll", "oci-events", "tag-parser", "migrate", "admin"])) == 0
    error_message = "functions knows ecr-events, oci-poll, oci-events, tag-parser, migrate and admin."
  }
  validation {
    condition     = alltrue([for one in var.functions : coalesce(one.memory_size, 256) >= 128 && coalesce(one.memory_size, 256) <= 10240])
    error_message = "functions[].memory_size must be 128 to 10240 MB."
  }
  validation {
    condition     = alltrue([for one in var.functions : coalesce(one.timeout, 60) >= 10 && coalesce(one.timeout, 60) <= 900])
    error_message = "functions[].timeout must be 10 to 900 seconds."
  }
  validation {
    condition     = coalesce(try(var.functions["oci-poll"].timeout, null), 120) >= 70
    error_message = "functions[\"oci-poll\"].timeout must be at least 70 seconds: an invocation makes passes for 60."
  }
}

variable "in_vpc" {
  description = "Whether the functions run in a VPC."
  type        = bool
  default     = false
  nullable    = false
}

variable "rust_log" {
  description = "The log level of the functions: `info`, or any filter of Rust's tracing."
  type        = string
  default     = "info"
  nullable    = false
}

variable "maximum_concurrency" {
  description = "Batches of a queue that are worked on at the same time; each needs a connection to the database."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000
    error_message = "maximum_concurrency must be 2 to 1000, which is what Lambda takes."
  }
  validation {
    condition     = alltrue([for program in ["ecr-events", "oci-poll"] : var.maximum_concurrency <= coalesce(try(var.functions[program].reserved_concurrency, null), 1000)])
    error_message = "maximum_concurrency must not be more than the reserved_concurrency of functions[\"ecr-events\"] and functions[\"oci-poll\"]: messages would be dead letters without having been tried."
  }
}

variable "batch_size" {
  description = "The largest number of messages in one invocation of `ecr-events`."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10
    error_message = "batch_size must be 1 to 10: more would need a batching window, which delays every chart."
  }
}

variable "oldest_message_age" {
  description = "Age of the oldest message of a queue at which an alarm goes off, in seconds."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.oldest_message_age >= 60
    error_message = "oldest_message_age must be at least 60 seconds."
  }
}
