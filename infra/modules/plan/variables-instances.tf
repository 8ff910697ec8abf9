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
      for instance in var.instances : !contains([for own in ["hints", "hints-dlq", "schedules-dlq"] : "${var.name}-${own}"], "${local.queue_prefix}${try(instance.ecrEvents.queueName, "")}")
    ])
    error_message = "instances[].ecrEvents.queueName must not end in hints, hints-dlq or schedules-dlq behind the module's name: the module's own queues are called so."
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
    condition = alltrue([
      for instance in var.instances : !contains(try(keys(instance.oci), []), "webhookSecretArn") || can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$", instance.oci.webhookSecretArn))
    ])
    error_message = "instances[].oci.webhookSecretArn must be the whole ARN of a secret, with the hyphen and the six characters at its end. Leave it out instead of null."
  }
  validation {
    condition = alltrue([
      for instance in var.instances : !contains(try(keys(instance.oci), []), "webhookGoogle") || (
        can(regex("^[^ ]+$", instance.oci.webhookGoogle.audience)) && can(regex("^[^@ ]+@[^@ ]+$", instance.oci.webhookGoogle.email))
        && length(setsubtract(try(keys(instance.oci.webhookGoogle), []), ["audience", "email"])) == 0
      )
    ])
    error_message = "instances[].oci.webhookGoogle must be {audience, email}: the audience of the push subscription, and its service account. Leave it out instead of null."
  }
  validation {
    condition     = alltrue([for instance in var.instances : length(setintersection(try(keys(instance.oci), []), ["webhookGoogle", "webhookSecretArn"])) < 2])
    error_message = "instances[].oci.webhookSecretArn and webhookGoogle exclude each other: a webhook of an instance has one kind of proof."
  }
  validation {
    condition = alltrue([for instance in var.instances : length(setsubtract(try(keys(instance.oci), []), local.oci_fields)) == 0])
    error_message = "instances[].oci has a field that oci-poll would refuse at every invocation; see ${join(", ", flatten([
      for instance in var.instances : [for field in setsubtract(try(keys(instance.oci), []), local.oci_fields) : "${instance.name}: ${field}"]
    ]))}."
  }
}
