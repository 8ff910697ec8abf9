# What cannot be used is refused before anything is made, with the field named.

variables {
  home = {
    partition  = "aws"
    region     = "us-east-1"
    account_id = "123456789012"
  }
  database         = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf" }
  migrate_database = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:owner-AbCdEf" }
  instances        = []
}

run "a_map_of_instances" {
  command = plan
  variables {
    instances = { a = { name = "a", provider = "oci", oci = { registryUrl = "https://ghcr.io" } } }
  }

  expect_failures = [var.instances]
}

run "an_instance_without_a_name" {
  command = plan
  variables {
    instances = [{ provider = "oci", oci = { registryUrl = "https://ghcr.io" } }]
  }

  expect_failures = [var.instances]
}

run "a_name_that_names_no_function" {
  command = plan
  variables {
    instances = [{ name = "prod ecr", provider = "oci", oci = { registryUrl = "https://ghcr.io" } }]
  }

  expect_failures = [var.instances]
}

run "two_instances_of_one_name" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "oci", oci = { registryUrl = "https://ghcr.io" } }, { name = "a", provider = "oci", oci = { registryUrl = "https://quay.io" } }]
  }

  expect_failures = [var.instances]
}

run "another_provider" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "gcr" }]
  }

  expect_failures = [var.instances]
}

run "ecr_without_a_queue" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "ecr", ecrEvents = { regionName = "us-east-1" } }]
  }

  expect_failures = [var.instances]
}

run "ecr_without_a_region" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "ecr", ecrEvents = { queueName = "q" } }]
  }

  expect_failures = [var.instances]
}

run "a_fifo_queue" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "ecr", ecrEvents = { queueName = "q.fifo", regionName = "us-east-1" } }]
  }

  expect_failures = [var.instances]
}

run "two_instances_of_one_queue" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "ecr", ecrEvents = { queueName = "q", regionName = "us-east-1" } }, { name = "b", provider = "ecr", ecrEvents = { queueName = "q", regionName = "us-east-1" } }]
  }

  expect_failures = [var.instances]
}

run "another_way_to_name_kinds" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "ecr", ecrEvents = { queueName = "q", regionName = "us-east-1", kindNaming = "full" } }]
  }

  expect_failures = [var.instances]
}

run "accounts_that_lost_their_zeros" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "ecr", ecrEvents = { queueName = "q", regionName = "us-east-1", accounts = [12345678901] } }]
  }

  expect_failures = [var.instances]
}

run "a_name_instead_of_names" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "ecr", ecrEvents = { queueName = "q", regionName = "us-east-1", repositories = "charts/*" } }]
  }

  expect_failures = [var.instances]
}

run "a_field_of_ecr_that_is_not_known" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "ecr", ecrEvents = { queueName = "q", regionName = "us-east-1", region = "x" } }]
  }

  expect_failures = [var.instances]
}

run "oci_without_an_address" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "oci", oci = { pollInterval = "5s" } }]
  }

  expect_failures = [var.instances]
}

run "an_address_with_a_password" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "oci", oci = { registryUrl = "https://me:secret@ghcr.io" } }]
  }

  expect_failures = [var.instances]
}

run "an_interval_without_a_unit" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "oci", oci = { registryUrl = "https://ghcr.io", pollInterval = "30" } }]
  }

  expect_failures = [var.instances]
}

run "a_field_of_oci_that_is_not_known" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "oci", oci = { registryUrl = "https://ghcr.io", pollinterval = "30s" } }]
  }

  expect_failures = [var.instances]
}

run "a_catalog_that_is_not_known" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "oci", oci = { registryUrl = "https://ghcr.io", catalog = "hub" } }]
  }

  expect_failures = [var.instances]
}

run "no_namespace_in_namespaces" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "oci", oci = { registryUrl = "https://ghcr.io", namespaces = [] } }]
  }

  expect_failures = [var.instances]
}

run "a_catalog_url_without_tls" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "oci", oci = { registryUrl = "https://ghcr.io", catalog = "github", catalogUrl = "http://github.example.com/api/v3" } }]
  }

  expect_failures = [var.instances]
}

run "a_catalog_interval_without_a_unit" {
  command = plan
  variables {
    instances = [{ name = "a", provider = "oci", oci = { registryUrl = "https://ghcr.io", catalogInterval = "60" } }]
  }

  expect_failures = [var.instances]
}

run "no_database" {
  command = plan
  variables {
    database = {}
  }

  expect_failures = [var.database]
}

run "two_databases" {
  command = plan
  variables {
    database = { secret_arn = "arn:x", url = "postgres://app@db/x", resource_id = "db-A" }
  }

  expect_failures = [var.database]
}

run "a_password_in_plain_sight" {
  command = plan
  variables {
    database = { url = "postgres://app:secret@db/x", resource_id = "db-A" }
  }

  expect_failures = [var.database]
}

run "an_address_without_its_resource" {
  command = plan
  variables {
    migrate_database = { url = "postgres://owner@db/x" }
  }

  expect_failures = [var.migrate_database]
}

run "everybody_as_a_principal" {
  command = plan
  variables {
    admin = { principals = ["*"] }
  }

  expect_failures = [var.admin]
}

run "oidc_without_a_secret" {
  command = plan
  variables {
    admin = { auth = "oidc" }
  }

  expect_failures = [var.admin]
}

run "an_address_as_an_iam_admin" {
  command = plan
  variables {
    admin = { site_admins = ["me@example.com"] }
  }

  expect_failures = [var.admin]
}

run "a_function_that_is_not_there" {
  command = plan
  variables {
    functions = { poller = { timeout = 60 } }
  }

  expect_failures = [var.functions]
}

run "a_poller_without_its_minute" {
  command = plan
  variables {
    functions = { oci-poll = { timeout = 60 } }
  }

  expect_failures = [var.functions]
}

run "a_concurrency_that_lambda_refuses" {
  command = plan
  variables {
    maximum_concurrency = 1
  }

  expect_failures = [var.maximum_concurrency]
}

run "a_name_that_is_too_long" {
  command = plan
  variables {
    name = "chart-discovery-of-the-platform-team"
  }

  expect_failures = [var.name]
}

run "an_account_without_its_zeros" {
  command = plan
  variables {
    home = { partition = "aws", region = "us-east-1", account_id = "12345678901" }
  }

  expect_failures = [var.home]
}

run "a_login_by_iam_to_any_database" {
  command = plan
  variables {
    database = { url = "postgres://app@db/x" }
  }

  expect_failures = [var.database]
}

run "a_resource_that_is_a_name" {
  command = plan
  variables {
    database = { url = "postgres://app@db/x", resource_id = "charts" }
  }

  expect_failures = [var.database]
}

run "no_database_of_the_owner" {
  command = plan
  variables {
    migrate_database = {}
  }

  expect_failures = [var.migrate_database]
}

run "the_owners_password_in_plain_sight" {
  command = plan
  variables {
    migrate_database = { url = "postgres://owner:secret@db/x", resource_id = "db-A" }
  }

  expect_failures = [var.migrate_database]
}

run "a_resource_of_the_owner_that_is_a_name" {
  command = plan
  variables {
    migrate_database = { url = "postgres://owner@db/x", resource_id = "*" }
  }

  expect_failures = [var.migrate_database]
}

run "a_file_relative_to_nothing" {
  command = plan
  variables {
    database_ca_file = "rds.pem"
  }

  expect_failures = [var.database_ca_file]
}

run "pages_for_everybody" {
  command = plan
  variables {
    admin = { auth = "none" }
  }

  expect_failures = [var.admin]
}

run "principals_that_nobody_asks" {
  command = plan
  variables {
    admin = { auth = "oidc", oidc_secret_arn = "arn:x", principals = ["arn:aws:iam::123456789012:root"] }
  }

  expect_failures = [var.admin]
}

run "too_little_memory" {
  command = plan
  variables {
    functions = { admin = { memory_size = 64 } }
  }

  expect_failures = [var.functions]
}

run "too_long_a_timeout" {
  command = plan
  variables {
    functions = { admin = { timeout = 901 } }
  }

  expect_failures = [var.functions]
}

run "a_batch_that_needs_a_window" {
  command = plan
  variables {
    batch_size = 100
  }

  expect_failures = [var.batch_size]
}

run "an_age_below_a_minute" {
  command = plan
  variables {
    oldest_message_age = 30
  }

  expect_failures = [var.oldest_message_age]
}

run "more_batches_than_the_function_may_take" {
  command = plan
  variables {
    maximum_concurrency = 5
    functions           = { ecr-events = { reserved_concurrency = 4 } }
  }

  expect_failures = [var.maximum_concurrency]
}

run "no_provider_at_all" {
  command = plan
  variables {
    instances = [{ name = "a", provider = null }, { name = "b" }]
  }

  expect_failures = [var.instances]
}

run "a_selection_that_is_too_long_for_a_variable" {
  command = plan
  variables {
    instances = [{
      name      = "a", provider = "ecr"
      ecrEvents = { queueName = "q", regionName = "us-east-1", exclude = [for number in range(300) : "team-${number}/x"] }
    }]
  }

  expect_failures = [var.instances]
}

run "callers_of_a_url_that_is_not_there" {
  command = plan
  variables {
    admin      = { function_url = false, principals = ["arn:aws:iam::123456789012:role/platform"] }
    public_url = "http://charts.example.com"
  }

  expect_failures = [var.admin, var.public_url]
}
