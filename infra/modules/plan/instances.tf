locals {
  ecr_fields = ["accounts", "exclude", "kindNaming", "queueName", "regionName", "repositories"]
  oci_fields = [
    "caFile", "catalog", "catalogInterval", "catalogUrl", "credentialsSecretArn", "deletionHold", "domain", "exclude",
    "kindNaming", "maxConcurrency", "namespaces", "pollInterval", "registryUrl", "repositories", "verifyInterval",
    "webhookGoogle", "webhookSecretArn",
  ]

  units = {
    ms = 0.001, s = 1, sec = 1, secs = 1, second = 1, seconds = 1, m = 60, min = 60, mins = 60, minute = 60, minutes = 60,
    h  = 3600, hr = 3600, hrs = 3600, hour = 3600, hours = 3600, d = 86400, day = 86400, days = 86400,
    w  = 604800, week = 604800, weeks = 604800,
  }

  # The values of Platz often have no provider. Its chart then follows ECR.
  instances = [
    for instance in var.instances : merge(instance, {
      provider = try(coalesce(instance.provider), can(instance.oci.registryUrl) && !can(instance.ecrEvents.queueName) ? "oci" : "ecr")
    })
  ]
  enable_tag_parser = var.enable_tag_parser || anytrue([for instance in local.instances : try(tobool(instance.enableTagParser), false) == true])

  ecr = {
    for instance in local.instances : instance.name => {
      region       = instance.ecrEvents.regionName
      queue_name   = "${local.queue_prefix}${instance.ecrEvents.queueName}"
      kind_naming  = try(coalesce(instance.ecrEvents.kindNaming), "name")
      accounts     = try([for account in instance.ecrEvents.accounts : tostring(account)], [])
      repositories = try([for name in instance.ecrEvents.repositories : name], [])
      exclude      = try([for name in instance.ecrEvents.exclude : name], [])
      selection = {
        for field in ["repositories", "exclude"] : field => [for name in instance.ecrEvents[field] : tostring(name)]
        if try(length(instance.ecrEvents[field]), 0) > 0
      }
    } if instance.provider == "ecr"
  }

  # Two installations in one account, with the same values, have different queues.
  queue_prefix = var.queue_name_exact || var.name == "chart-discovery" ? "" : "${var.name}-"

  oci = {
    for instance in local.instances : instance.name => {
      input = { name = tostring(instance.name), provider = "oci", oci = instance.oci }
      interval = sum([
        for part in regexall("([0-9]+)\\s*([a-z]+)", try(coalesce(instance.oci.pollInterval), "5s")) : tonumber(part[0]) * local.units[part[1]]
      ])
      # Whether these are there is known in a plan, even if the ARNs are not yet.
      secret_arns         = contains(keys(instance.oci), "credentialsSecretArn") ? [instance.oci.credentialsSecretArn] : []
      webhook_secret_arns = contains(keys(instance.oci), "webhookSecretArn") ? [instance.oci.webhookSecretArn] : []
      webhook_google      = contains(keys(instance.oci), "webhookGoogle") ? [instance.oci.webhookGoogle] : []
      # oci-poll logs in to ECR with the function's own role if the instance has no secret.
      ecr_arns = [
        for found in regexall("^https://([0-9]{12})\\.dkr\\.ecr(?:-fips)?\\.([a-z0-9-]+)\\.", instance.oci.registryUrl) :
        "arn:${var.home.partition}:ecr:${found[1]}:${found[0]}:repository/*" if try(instance.oci.credentialsSecretArn, null) == null
      ]
    } if instance.provider == "oci"
  }

  # The accounts whose registries an ecr instance reads and whose events it accepts.
  accounts = { for name, instance in local.ecr : name => coalescelist(instance.accounts, [var.home.account_id]) }

  # The regions that forward their events, because a rule can send only to queues in its own region.
  foreign_regions = setsubtract([for instance in local.ecr : instance.region], [var.home.region])
  # The accounts that may put events on the event bus.
  foreign_accounts = setsubtract(flatten(values(local.accounts)), [var.home.account_id])
}
