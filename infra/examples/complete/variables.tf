variable "vpc_id" {
  description = "Id of the VPC of the database."
  type        = string
}

variable "subnet_ids" {
  description = "Ids of private subnets with a way to the internet, or to endpoints of the services that the README lists."
  type        = list(string)
}

variable "database_security_group_id" {
  description = "Id of the database's security group."
  type        = string
}

variable "database_secret_arn" {
  description = "ARN of the secret of the database user that the functions log in as."
  type        = string
}

variable "owner_secret_arn" {
  description = "ARN of the secret of the database user that owns the tables."
  type        = string
}

variable "database_ca_layer_zip" {
  description = "Path of a zip with `rds.pem`, the certificates that RDS is checked against."
  type        = string
  default     = "rds-ca.zip"
}

variable "harbor_secret_arn" {
  description = "ARN of the secret with the name and password of Harbor's robot account."
  type        = string
}

variable "harbor_webhook_secret_arn" {
  description = "ARN of the secret `{\"secret\":\"…\"}` that Harbor sends with its webhooks."
  type        = string
}

variable "oidc_secret_arn" {
  description = "ARN of the secret with `issuer`, `client_id`, `client_secret` and `cookie_key`."
  type        = string
}

variable "team_account_id" {
  description = "Id of the account whose charts are in its own registry, twelve digits."
  type        = string
}

variable "team_role_arn" {
  description = "ARN of the role in that account which makes rules there."
  type        = string
}

variable "alarm_email" {
  description = "E-mail address that alarms are sent to."
  type        = string
}
