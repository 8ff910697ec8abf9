variable "name" {
  description = "Prefix of the names of all resources."
  type        = string
  default     = "chart-discovery"
}

variable "region" {
  description = "The region of everything."
  type        = string
  default     = "us-east-1"
}

variable "availability_zones" {
  description = "Two zones of the region, because RDS asks for subnets in two."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b"]

  validation {
    condition     = length(var.availability_zones) == 2
    error_message = "availability_zones must be two."
  }
}

variable "with_nat" {
  description = "Makes a NAT gateway instead of endpoints. Registries outside AWS need it."
  type        = bool
  default     = false
}

variable "database_ca_layer_zip" {
  description = "Path of a zip with `rds.pem`, the certificates that RDS is checked against."
  type        = string
  default     = "rds-ca.zip"
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted."
  type        = bool
  default     = true
}

variable "admin_role_arn" {
  description = "ARN of the role that may open the admin pages and change things."
  type        = string
}

variable "package_s3" {
  description = "Packages from a bucket, as the module's variable of this name says. Null: those of `make package`."
  type        = object({ bucket = string, prefix = optional(string) })
  default     = null
}
