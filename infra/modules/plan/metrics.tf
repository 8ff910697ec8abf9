locals {
  # Two installations in one account do not raise each other's alarms.
  namespace = var.name == "chart-discovery" ? "ChartDiscovery" : "ChartDiscovery/${var.name}"

  # The metrics of the functions, each with the dimension Instance. No other file of this module names one.
  metrics = {
    ChartsAdded       = { unit = "Count", providers = ["ecr", "oci"], description = "chart rows that became available" }
    ChartsUnavailable = { unit = "Count", providers = ["ecr", "oci"], description = "chart rows that became unavailable" }
    ChartsBroken      = { unit = "Count", providers = ["ecr", "oci"], description = "charts found that cannot be used" }
    ReferencesSkipped = { unit = "Count", providers = ["ecr", "oci"], description = "references that are no chart or past a limit" }
    HeldBack          = { unit = "Count", providers = ["oci"], description = "missing charts whose deletion is not confirmed yet" }
    RegistryRequests  = { unit = "Count", providers = ["ecr", "oci"], description = "requests to the registry" }
    RegistryThrottled = { unit = "Count", providers = ["ecr", "oci"], description = "requests that the registry throttled" }
    PassDuration      = { unit = "Milliseconds", providers = ["oci"], description = "duration of a pass" }
    PollLag           = { unit = "Seconds", providers = ["oci"], description = "time since the last complete pass began" }
    HintToRow         = { unit = "Milliseconds", providers = ["ecr", "oci"], description = "time from an event or webhook to its row" }
    WebhooksTaken     = { unit = "Count", providers = ["oci"], description = "webhooks whose hints are in the queue" }
    WebhooksRefused   = { unit = "Count", providers = ["oci"], description = "webhooks refused, wrong proofs included" }
    RepairFound       = { unit = "Count", providers = ["ecr"], description = "differences for which no event arrived" }
  }
}
