# What a pattern lets through is tried with a real matcher elsewhere; here is what it says.

run "charts_of_every_region_and_account" {
  command = plan

  assert {
    condition = jsondecode(output.event_pattern) == {
      source      = ["aws.ecr"]
      detail-type = [{ prefix = "ECR " }]
      detail = {
        result              = [{ exists = false }, "SUCCESS"]
        scan-status         = [{ exists = false }]
        artifact-media-type = [{ exists = false }, "", "application/vnd.cncf.helm.config.v1+json"]
      }
    }
    error_message = "it is ${output.event_pattern}"
  }
}

run "everything_without_the_filter" {
  command = plan
  variables {
    filter_media_types = false
  }

  assert {
    condition     = !can(jsondecode(output.event_pattern).detail.artifact-media-type)
    error_message = "media types are filtered although the filter is off"
  }
}

run "regions_and_accounts" {
  command = plan
  variables {
    regions  = ["us-east-1"]
    accounts = ["123456789012", "210987654321"]
  }

  assert {
    condition     = jsondecode(output.event_pattern).region == ["us-east-1"]
    error_message = "events of other regions match"
  }
  assert {
    condition     = jsondecode(output.event_pattern).account == ["123456789012", "210987654321"]
    error_message = "events of other accounts match"
  }
}

run "a_glob_becomes_its_beginning" {
  command = plan
  variables {
    repositories = ["shop/orders", "charts/**", "team-?/api"]
  }

  assert {
    condition     = jsondecode(output.event_pattern).detail.repository-name == ["shop/orders", { prefix = "charts/" }, { prefix = "team-" }]
    error_message = "it is ${output.event_pattern}"
  }
}

run "a_glob_without_a_beginning_takes_all" {
  command = plan
  variables {
    repositories = ["shop/orders", "*/charts"]
  }

  assert {
    condition     = !can(jsondecode(output.event_pattern).detail.repository-name)
    error_message = "a repository that the glob names would be kept out"
  }
}

run "more_names_than_a_pattern_takes" {
  command = plan
  variables {
    repositories = [for number in range(200) : "charts/product-${number}"]
  }

  assert {
    condition     = length(output.event_pattern) <= 2048 && !can(jsondecode(output.event_pattern).detail.repository-name)
    error_message = "EventBridge would refuse the pattern"
  }
}

run "what_cannot_be_used_is_refused" {
  command = plan
  variables {
    regions  = ["Virginia"]
    accounts = ["12"]
  }

  expect_failures = [var.regions, var.accounts]
}
