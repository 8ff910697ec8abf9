locals {
  namespace = "ChartDiscovery"

  # The metrics of the functions, each with the dimension Instance. No other file of this module names one.
  metrics = {
    ChartsAdded       = { unit = "Count", providers = ["ecr", "oci"], description = "chart rows that became available" }
    ChartsUnavailable = { unit = "Count", providers = ["ecr", "oci"], description = "chart rows that became unavailable" }
    ChartsBroken      = { unit = "Count", providers = ["ecr", "oci"], description = "charts found that cannot be used" }
    ReferencesSkipped = { unit = "Count", providers = ["ecr", "oci"], description = "references that are no chart or past a limit" }
    HeldBack          = { unit = "Count", providers = ["oci"], description = "charts missing from the registry and not believed to be deleted yet" }
    RegistryRequests  = { unit = "Count", providers = ["ecr", "oci"], description = "requests to the registry" }
    RegistryThrottled = { unit = "Count", providers = ["ecr", "oci"], description = "requests that the registry put off" }
    PassDuration      = { unit = "Milliseconds", providers = ["oci"], description = "how long a pass took" }
    PollLag           = { unit = "Seconds", providers = ["oci"], description = "how long ago the last pass was" }
    RepairFound       = { unit = "Count", providers = ["ecr"], description = "differences that no event had told of" }
  }
}
