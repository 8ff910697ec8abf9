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

variable "database_password" {
  description = "The password of the database's user; at least 16 characters, without / @ \" and spaces."
  type        = string
  sensitive   = true
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
