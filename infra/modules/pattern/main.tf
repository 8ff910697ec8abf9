locals {
  # EventBridge's own wildcards do not stop at slashes as globs do, so a glob becomes its beginning: it may let through
  # more than was asked for, never less.
  beginnings = [for name in var.repositories : regex("^[^*?\\[{]*", name)]
  names = [
    for at, name in var.repositories : local.beginnings[at] == name ? jsonencode(name) : jsonencode({ prefix = local.beginnings[at] })
  ]
  takes_all = length(var.repositories) == 0 || contains(local.beginnings, "")

  # Replications and many deletions name no media type: what is missing must match as well.
  media_types = [{ exists = false }, "application/vnd.cncf.helm.config.v1+json"]

  detail = merge(
    {
      result      = ["SUCCESS"]
      action-type = ["PUSH", "DELETE", "REPLICATE"]
    },
    var.filter_media_types ? { artifact-media-type = local.media_types } : {},
    local.takes_all ? {} : { repository-name = [for name in local.names : jsondecode(name)] },
  )

  pattern = merge(
    {
      source      = ["aws.ecr"]
      detail-type = ["ECR Image Action", "ECR Replication Action"]
      detail      = local.detail
    },
    length(var.regions) == 0 ? {} : { region = var.regions },
    length(var.accounts) == 0 ? {} : { account = var.accounts },
  )
}
