variable "instances" {
  description = "The discovery instances: a list of `{name, provider = \"ecr\", ecrEvents = {queueName, regionName, …}}` and `{name, provider = \"oci\", oci = {registryUrl, …}}`. `provider` may be missing; `enableTagParser` is that of all. Other fields of an entry are ignored. The type is `any` because the entries of one list have different fields."
  type        = any
  nullable    = false

  validation {
    condition     = !can(keys(var.instances)) && can([for instance in var.instances : tostring(instance.name)])
    error_message = "instances must be a list of objects that each have a name."
  }
  validation {
    condition     = alltrue([for instance in var.instances : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$", instance.name))])
    error_message = "instances[].name must have 1 to 32 letters, digits, - and _: functions and schedules are named after it."
  }
  validation {
    condition     = length(distinct([for instance in var.instances : try(tostring(instance.name), "")])) == length(var.instances)
    error_message = "instances[].name must be unique."
  }
  validation {
    condition     = alltrue([for instance in var.instances : contains(["ecr", "oci"], try(coalesce(instance.provider), "ecr"))])
    error_message = "instances[].provider must be \"ecr\" or \"oci\"; see ${join(", ", [for instance in var.instances : try(instance.name, "?") if !contains(["ecr", "oci"], try(coalesce(instance.provider), "ecr"))])}."
  }
  validation {
    condition     = alltrue([for instance in var.instances : try(instance.ecr, null) == null])
    error_message = "instances[].ecr was renamed to ecrEvents, with the same fields; see ${join(", ", [for instance in var.instances : try(instance.name, "?") if try(instance.ecr, null) != null])}."
  }
  validation {
    condition     = alltrue([for instance in var.instances : try(instance.enableTagParser, null) == null || can(tobool(instance.enableTagParser))])
    error_message = "instances[].enableTagParser must be true or false."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : try(coalesce(instance.provider), can(instance.oci.registryUrl) && !can(instance.ecrEvents.queueName) ? "oci" : "ecr") != "ecr" || can(regex("^[A-Za-z0-9_-]{1,76}$", instance.ecrEvents.queueName))
    ])
    error_message = "instances[].ecrEvents.queueName must have 1 to 76 letters, digits, - and _ (its dead-letter queue ends in -dlq)."
  }
  validation {
    condition = (
      length(distinct([for instance in var.instances : try(instance.ecrEvents.queueName, null) if try(coalesce(instance.provider), can(instance.oci.registryUrl) && !can(instance.ecrEvents.queueName) ? "oci" : "ecr") == "ecr"]))
      == length([for instance in var.instances : instance if try(coalesce(instance.provider), can(instance.oci.registryUrl) && !can(instance.ecrEvents.queueName) ? "oci" : "ecr") == "ecr"])
    )
    error_message = "instances[].ecrEvents.queueName must be unique: two functions would take each other's messages."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : var.queue_name_exact || var.name == "chart-discovery"
      || length(try(tostring(instance.ecrEvents.queueName), "")) + length(var.name) <= 75
    ])
    error_message = "instances[].ecrEvents.queueName is too long: the queue is called <name>-<queueName>, and its dead-letter queue ends in -dlq, in at most 80 characters."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : !contains([for other in var.instances : "${try(other.ecrEvents.queueName, "")}-dlq"], try(coalesce(instance.ecrEvents.queueName), ""))
    ])
    error_message = "instances[].ecrEvents.queueName must not be that of another instance with -dlq behind it: its dead-letter queue is called so."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : try(coalesce(instance.provider), can(instance.oci.registryUrl) && !can(instance.ecrEvents.queueName) ? "oci" : "ecr") != "ecr" || can(regex("^[a-z]{2,3}(-[a-z]+)+-[0-9]+$", instance.ecrEvents.regionName))
    ])
    error_message = "instances[].ecrEvents.regionName must be the name of a region, such as us-east-1."
  }
  validation {
    condition     = alltrue([for instance in var.instances : contains(["name", "path"], try(coalesce(instance.ecrEvents.kindNaming), "name"))])
    error_message = "instances[].ecrEvents.kindNaming must be \"name\" or \"path\"."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : try(instance.ecrEvents.accounts, null) == null || can([for account in instance.ecrEvents.accounts : regex("^[0-9]{12}$", account)])
    ])
    error_message = "instances[].ecrEvents.accounts must be a list of account ids of twelve digits, in quotes."
  }
  validation {
    condition = alltrue(flatten([
      for instance in var.instances : [
        for field in ["repositories", "exclude"] :
        try(instance.ecrEvents[field], null) == null || can([for name in instance.ecrEvents[field] : regex(".", name)])
      ]
    ]))
    error_message = "instances[].ecrEvents.repositories and exclude must be lists of names and globs."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : length(jsonencode([for field in ["repositories", "exclude"] : try(instance.ecrEvents[field], null)])) <= 3000
    ])
    error_message = "instances[].ecrEvents.repositories and exclude may have 3000 characters together: they become one variable of a Lambda function. Use globs, or one more instance."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : length(setsubtract(try(keys(instance.ecrEvents), []), local.ecr_fields)) == 0
    ])
    error_message = "instances[].ecrEvents may have only queueName, regionName, kindNaming, accounts, repositories and exclude."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : try(coalesce(instance.provider), can(instance.oci.registryUrl) && !can(instance.ecrEvents.queueName) ? "oci" : "ecr") != "oci" || can(regex("^https?://[^/?#@ ]+[^?#@ ]*$", instance.oci.registryUrl))
    ])
    error_message = "instances[].oci.registryUrl must be an address such as https://ghcr.io, without a user, a query or a fragment."
  }
  validation {
    condition = alltrue(flatten([
      for instance in var.instances : [
        for field in ["pollInterval", "verifyInterval", "deletionHold", "catalogInterval"] :
        try(instance.oci[field], null) == null || can(regex("^\\s*([0-9]+\\s*(ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)\\s*)+$", instance.oci[field]))
      ]
    ]))
    error_message = "instances[].oci.pollInterval, verifyInterval, deletionHold and catalogInterval must be durations such as \"30s\" or \"1h 30m\"."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$", try(coalesce(instance.oci.credentialsSecretArn), "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf")))
    ])
    error_message = "instances[].oci.credentialsSecretArn must be the whole ARN of a secret, with the hyphen and the six characters at its end."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : contains(["auto", "oci", "github", "dockerhub", "gitlab", "harbor", "quay", "gitea", "artifactRegistry", "none"], try(coalesce(instance.oci.catalog), "auto"))
    ])
    error_message = "instances[].oci.catalog must be auto, oci, github, dockerhub, gitlab, harbor, quay, gitea, artifactRegistry or none."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : try(length(instance.oci.namespaces), 1) > 0
    ])
    error_message = "instances[].oci.namespaces must not be empty: leave it out to list what the credentials can see."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : can(regex("^(https://|http://(localhost|127\\.0\\.0\\.1)[:/])[^?#@ ]+$", try(coalesce(instance.oci.catalogUrl), "https://api.github.com")))
    ])
    error_message = "instances[].oci.catalogUrl must be an address on https, such as https://github.example.com/api/v3, because the listing token is sent there."
  }
  validation {
    condition = alltrue([for instance in var.instances : length(setsubtract(try(keys(instance.oci), []), local.oci_fields)) == 0])
    error_message = "instances[].oci has a field that oci-poll would refuse at every invocation; see ${join(", ", flatten([
      for instance in var.instances : [for field in setsubtract(try(keys(instance.oci), []), local.oci_fields) : "${instance.name}: ${field}"]
    ]))}."
  }
}

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
  description = "Where the queues and functions are: `partition` (aws), `region`, `account_id` (twelve digits)."
  type = object({
    partition  = string
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

variable "functions" {
  description = "Settings by function (`ecr-events`, `oci-poll`, `tag-parser`, `migrate`, `admin`) that replace the usual ones: `memory_size` (MB), `timeout` (seconds), `reserved_concurrency` (invocations at a time)."
  type = map(object({
    memory_size          = optional(number)
    timeout              = optional(number)
    reserved_concurrency = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.functions), ["ecr-events", "oci-poll", "tag-parser", "migrate", "admin"])) == 0
    error_message = "functions knows ecr-events, oci-poll, tag-parser, migrate and admin."
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
    condition     = var.maximum_concurrency <= coalesce(try(var.functions["ecr-events"].reserved_concurrency, null), 1000)
    error_message = "maximum_concurrency must not be more than functions[\"ecr-events\"].reserved_concurrency: messages would be dead letters without having been tried."
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
