locals {
  polls = {
    for name, instance in local.oci : "oci-poll-${name}" => {
      description = "Polls the registry of ${name}"
      expression  = "rate(1 minute)"
      function    = "oci-poll"
      input       = jsonencode(instance.input)
    }
  }

  # Each invocation resumes the run of the previous one, and ends immediately if a complete run started within a day.
  repairs = merge([
    for name, instance in local.ecr : {
      for account in coalescelist(instance.accounts, [""]) : join("-", compact(["repair", name, account])) => {
        description = "Finds what events of ${name} did not tell"
        expression  = "rate(10 minutes)"
        function    = "ecr-events-${name}"
        input = jsonencode({
          backfill = merge(
            { region = instance.region, unlessWithin = "24h" },
            account == "" ? {} : { registryId = account },
            length(instance.repositories) == 0 ? {} : { repositories = instance.repositories },
            length(instance.exclude) == 0 ? {} : { exclude = instance.exclude },
          )
        })
      }
    }
  ]...)

  parses = {
    for name in local.enable_tag_parser ? ["tag-parser"] : [] : name => {
      description = "Takes tags apart again after the formats have changed"
      expression  = "rate(1 minute)"
      function    = name
      input       = jsonencode({})
    }
  }

  schedules = merge(local.polls, local.repairs, local.parses)
}
