locals {
  # EventBridge's wildcards match slashes, but those of globs do not. So only the beginning of a glob is used. It may let
  # through more repositories than the glob, but never fewer.
  beginnings = [for name in var.repositories : regex("^[^*?\\[{]*", name)]
  names = [
    for at, name in var.repositories : local.beginnings[at] == name ? jsonencode(name) : jsonencode({ prefix = local.beginnings[at] })
  ]
  takes_all = length(var.repositories) == 0 || contains(local.beginnings, "")

  # A missing or empty media type matches as well, because replications and many deletions name none.
  media_types = [{ exists = false }, "", "application/vnd.cncf.helm.config.v1+json"]

  # Every type and every action matches, because AWS adds some without notice. Only scans do not match: each push causes
  # one, and it changes no tag.
  detail = merge(
    {
      result      = [{ exists = false }, "SUCCESS"]
      scan-status = [{ exists = false }]
    },
    var.filter_media_types ? { artifact-media-type = local.media_types } : {},
  )
  names_filter = local.takes_all ? {} : { repository-name = [for name in local.names : jsondecode(name)] }

  envelope = merge(
    {
      source      = ["aws.ecr"]
      detail-type = [{ prefix = "ECR " }]
    },
    length(var.regions) == 0 ? {} : { region = var.regions },
    length(var.accounts) == 0 ? {} : { account = var.accounts },
  )

  # EventBridge takes at most 2048 characters. A longer pattern leaves the names out, and the function selects by itself.
  patterns = [for names in [local.names_filter, {}] : jsonencode(merge(local.envelope, { detail = merge(local.detail, names) }))]
  pattern  = length(local.patterns[0]) <= 2048 ? local.patterns[0] : local.patterns[1]
}
