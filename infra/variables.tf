# modules/plan gets most of these variables unchanged. It refuses an unusable value and names the field.

variable "instances" {
  description = "The discovery instances: the list that is `chartDiscovery.instances` in the values of the Platz chart. `{name, provider = \"ecr\", ecrEvents = {queueName, regionName}}` follows ECR's events; optional there: `kindNaming` (`name` or `path`), `accounts` (ids; the own account without it), `repositories` and `exclude` (names and globs). `{name, provider = \"oci\", oci = {registryUrl, pollInterval}}` polls a registry; docs/instances/oci.md lists all fields of `oci`. `provider` may be missing, and `enableTagParser` sets `enable_tag_parser`, both as in Platz. Other fields of an entry are ignored."
  type        = any
  nullable    = false
}

variable "name" {
  description = "Prefix of the names of all resources; 1 to 20 characters. Two installations in one account need different prefixes."
  type        = string
  default     = "chart-discovery"
  nullable    = false
}

variable "queue_name_exact" {
  description = "Calls the queues `queueName` even if `name` is not the default. Without it they are called `<name>-<queueName>` then, so that two installations do not share one."
  type        = bool
  default     = false
  nullable    = false
}

variable "home" {
  description = "The region and the account of the provider. Null: the module asks AWS. Necessary only if the call of the module has `depends_on`, because Terraform then asks AWS too late for the plan."
  type = object({
    region     = string
    account_id = string
  })
  default = null
}

variable "database" {
  description = "The credentials of the functions for the database. Either `secret_arn`: a Secrets Manager secret with `username`, `password`, `host`, `port`, `dbname`. A secret without a host, such as the one that RDS manages itself, needs `url` (`postgres://HOST:PORT/DBNAME`) beside it. Or `url` (`postgres://USER@HOST:PORT/DBNAME`, no password) and `resource_id` (`db-…`, `cluster-…` or `prx-…`), to log in by IAM."
  type = object({
    secret_arn  = optional(string)
    url         = optional(string)
    resource_id = optional(string)
  })
  nullable = false
}

variable "migrate_database" {
  description = "The credentials of `migrate`, which must own the tables. Give `database` another user, because that user needs no right to change the schema. The fields are those of `database`."
  type = object({
    secret_arn  = optional(string)
    url         = optional(string)
    resource_id = optional(string)
  })
  nullable = false
}

variable "database_role" {
  description = "Name of the role that `database` logs in as. After the migrations, `migrate` gives it the rights that the functions need, and no other right. If `database` logs in by IAM and there is no such role, `migrate` makes it first. Null: no rights are given, because the role has them already."
  type        = string
  default     = null

  validation {
    condition     = var.database_role != ""
    error_message = "database_role must be the name of a role, or null."
  }
}

variable "database_ca_file" {
  description = "Path, inside the functions, of the PEM file with the certificates that the database's is checked against; the system's without it. RDS needs it (its own authority), RDS Proxy does not. A layer's files are below `/opt`."
  type        = string
  default     = null
}

variable "layer_arns" {
  description = "ARNs, with version, of Lambda layers for every function: one with `database_ca_file` for example."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.layer_arns) <= 5 && alltrue([for arn in var.layer_arns : can(regex("^arn:[^:]+:lambda:.*:layer:[^:]+:[0-9]+$", arn))])
    error_message = "layer_arns must be at most five ARNs of layers, each with its version."
  }
}

variable "secret_key_arns" {
  description = "ARNs of the customer managed KMS keys that the secrets are encrypted with; none for Secrets Manager's own key."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "kms_keys" {
  description = "ARNs of customer managed KMS keys: `logs` for the log groups, `queues` for all queues, `table` for the cursors. Null: AWS's own keys. The README says what the keys' policies must allow."
  type = object({
    logs   = optional(string)
    queues = optional(string)
    table  = optional(string)
  })
  default  = {}
  nullable = false
}

variable "vpc" {
  description = "Where the functions run: private subnets that reach the database, the registries and AWS, and security groups. `ipv6 = true` lets them use IPv6 too, in dual-stack subnets. Outside a VPC without it, which only reaches databases with a public address. `oci-events` is always outside."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    ipv6               = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.vpc == null || (length(try(var.vpc.subnet_ids, [])) > 0 && length(try(var.vpc.security_group_ids, [])) > 0)
    error_message = "vpc must have at least one of subnet_ids and one of security_group_ids."
  }
}

variable "admin" {
  description = "The users of the admin pages. `auth`: `iam` (default) or `oidc`. With `iam`: `principals`, ARNs of accounts, users and roles that may call the Function URL, and `site_admins`, ARNs of those who may change things. With `oidc`: `oidc_secret_arn`, a secret with `issuer`, `client_id`, `client_secret`, `cookie_key`, and `site_admins`, e-mail addresses or `group:NAME`. `function_url = false` makes no Function URL, for a region or an organisation that does not allow it: put an API Gateway in front (docs/operate/deploy.md)."
  type = object({
    auth            = optional(string, "iam")
    principals      = optional(list(string), [])
    site_admins     = optional(list(string), [])
    oidc_secret_arn = optional(string)
    function_url    = optional(bool, true)
  })
  default  = {}
  nullable = false
}

variable "public_url" {
  description = "The address of the admin pages as users see it, if something is in front of the Function URL, such as CloudFront. Null: the Function URL."
  type        = string
  default     = null
}

variable "webhooks" {
  description = "The address for webhooks, if an instance has `webhookSecretArn` or `webhookGoogle`. `function_url = false` makes no Function URL, as for `admin`. `public_url`: the address of what is in front of `oci-events`."
  type = object({
    function_url = optional(bool, true)
    public_url   = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^https://[^/?#@ ]+(/[^?# ]*)?$", coalesce(var.webhooks.public_url, "https://example.com")))
    error_message = "webhooks.public_url must be an address such as https://hooks.example.com, without a query or a fragment."
  }
}

variable "enable_tag_parser" {
  description = "Whether the functions parse tags into version, revision, branch and commit."
  type        = bool
  default     = false
  nullable    = false
}

variable "filter_media_types" {
  description = "Keeps out events whose artifact media type is not Helm's, so that a push of a container image costs no invocation. The filter misses a chart's tag that is overwritten by something else, and a chart in an index that names another type. The repair finds both within a day. `false` misses nothing."
  type        = bool
  default     = true
  nullable    = false
}

variable "allowed_addresses" {
  description = "Hosts and CIDRs that a registry may send the functions to, by redirects or login realms, although they are private."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "package_dir" {
  description = "Folder with `<function>/bootstrap.zip` of each function, as `make package` leaves it; `target/lambda` of this repository without it."
  type        = string
  default     = null
}

variable "package_s3" {
  description = "Takes the packages from S3 instead of `package_dir`: `bucket`, and `prefix` in front of `<function>.zip`. Put the version into the prefix (`v1.2.0/`), because Terraform sees a new package only by its key. The bucket must be in the region of the functions."
  type = object({
    bucket = string
    prefix = optional(string)
  })
  default = null

  validation {
    condition     = var.package_s3 == null || var.package_dir == null
    error_message = "package_s3 and package_dir exclude each other."
  }
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{2,62}$", try(coalesce(var.package_s3.bucket), "abc")))
    error_message = "package_s3.bucket must be the name of a bucket."
  }
}

variable "architecture" {
  description = "The architecture of the packages: `x86_64` by `make package`, `arm64` by `make package PACKAGE_FLAGS=--arm64`, which costs a fifth less per GB-second."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be \"x86_64\" or \"arm64\"."
  }
}

variable "functions" {
  description = "Settings that replace the usual ones, by function (`ecr-events`, `oci-poll`, `oci-events`, `tag-parser`, `migrate`, `admin`): `memory_size` in MB (256), `timeout` in seconds (60, 120, 15, 300, 300, 30), `reserved_concurrency` in invocations at a time (none)."
  type = map(object({
    memory_size          = optional(number)
    timeout              = optional(number)
    reserved_concurrency = optional(number)
  }))
  default  = {}
  nullable = false
}

variable "maximum_concurrency" {
  description = "Batches of a queue that are worked on at the same time, 2 to 1000. Each needs a connection to the database. Not more than `reserved_concurrency` of `ecr-events` and `oci-poll`, if that is set."
  type        = number
  default     = 5
  nullable    = false
}

variable "batch_size" {
  description = "Messages in one invocation of `ecr-events` or `oci-poll`, 1 to 10."
  type        = number
  default     = 10
  nullable    = false
}

variable "rust_log" {
  description = "The log level of the functions: `info`, `debug`, or any filter of Rust's tracing, such as `info,shared::oci=debug`."
  type        = string
  default     = "info"
  nullable    = false
}

variable "log_retention_days" {
  description = "The retention of log lines, in days."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs has, such as 7, 30, 90 or 365."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic that alarms notify when they go off and when they end. Null: no notifications."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^arn:[^:]+:sns:", coalesce(var.alarm_topic_arn, "arn:aws:sns:")))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic."
  }
}

variable "queue_retention_days" {
  description = "Days after which SQS deletes a message that was not received, 1 to 14. If you take over a queue, set its present value. Dead letters are kept for 14 days."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.queue_retention_days >= 1 && var.queue_retention_days <= 14
    error_message = "queue_retention_days must be 1 to 14, which is what SQS takes."
  }
}

variable "oldest_message_age" {
  description = "Age of the oldest message of a queue at which an alarm goes off, in seconds. One failed try takes six timeouts of the function: 360 of `ecr-events`, 720 of `oci-poll`."
  type        = number
  default     = 900
  nullable    = false
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of every role. Null: no boundary."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^arn:[^:]+:iam::", coalesce(var.permissions_boundary, "arn:aws:iam::")))
    error_message = "permissions_boundary must be the ARN of a policy."
  }
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
  nullable    = false
}
