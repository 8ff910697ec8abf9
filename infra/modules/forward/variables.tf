variable "name" {
  description = "Prefix of the names of all resources. Two modules of one account need different prefixes."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name must have 1 to 20 lower case letters, digits and -, and begin with a letter."
  }
}

variable "regions" {
  description = "Regions whose ECR events are forwarded."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.regions) > 0 && alltrue([for region in var.regions : can(regex("^[a-z]{2,3}(-[a-z]+)+-[0-9]+$", region))])
    error_message = "regions must name at least one region, such as us-east-1."
  }
}

variable "event_bus_arn" {
  description = "ARN of the event bus that is forwarded to: the output `event_bus_arn` of the module that makes the functions."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:events:[^:]+:[0-9]{12}:event-bus/.+$", var.event_bus_arn))
    error_message = "event_bus_arn must be the ARN of an event bus."
  }
}

variable "filter_media_types" {
  description = "Does not forward events whose artifact media type is not Helm's. Use the same value as in the module that makes the functions."
  type        = bool
  default     = true
  nullable    = false
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role. Null: no boundary."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
  nullable    = false
}
