variable "regions" {
  description = "Regions whose events match; every region when empty."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for region in var.regions : can(regex("^[a-z]{2,3}(-[a-z]+)+-[0-9]+$", region))])
    error_message = "regions must be names of regions, such as us-east-1."
  }
}

variable "accounts" {
  description = "Ids of the accounts whose events match; every account when empty."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for account in var.accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "accounts must be account ids of twelve digits."
  }
}

variable "repositories" {
  description = "Names and globs of the repositories whose events match; every repository when empty. Of a glob only the part before its first special character counts."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "filter_media_types" {
  description = "Keeps out events whose artifact media type is not Helm's."
  type        = bool
  default     = true
  nullable    = false
}
