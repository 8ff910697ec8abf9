variable "functions" {
  description = "The resources that each function may use, by its key: its own ARN and that of its log group; ARNs of the queues that it takes from and sends to, its tables, the ECR repositories that it reads by ECR's API and those that it polls, secrets, database users and the functions that it invokes; ARNs of the keys that its secrets, queues and tables are encrypted with; whether it runs in a VPC. `more_secret_arns` and `more_invoked_arns` are further pieces of these lists, each for a policy of its own."
  type = map(object({
    function_arn        = string
    log_group_arn       = string
    queue_arns          = optional(list(string), [])
    sent_queue_arns     = optional(list(string), [])
    queue_key_arns      = optional(list(string), [])
    table_arns          = optional(list(string), [])
    table_key_arns      = optional(list(string), [])
    ecr_repository_arns = optional(list(string), [])
    polled_ecr_arns     = optional(list(string), [])
    secret_arns         = optional(list(string), [])
    more_secret_arns    = optional(list(list(string)), [])
    secret_key_arns     = optional(list(string), [])
    database_user_arns  = optional(list(string), [])
    invoked_arns        = optional(list(string), [])
    more_invoked_arns   = optional(list(list(string)), [])
    in_vpc              = optional(bool, false)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue(flatten([
      for function in var.functions : [
        for arn in concat(
          [function.function_arn, function.log_group_arn], function.queue_arns, function.sent_queue_arns, function.queue_key_arns,
          function.table_arns, function.table_key_arns, function.ecr_repository_arns, function.polled_ecr_arns, function.secret_arns,
          flatten(function.more_secret_arns), function.secret_key_arns, function.database_user_arns, function.invoked_arns,
          flatten(function.more_invoked_arns),
        ) : startswith(arn, "arn:")
      ]
    ]))
    error_message = "functions: every entry must be an ARN."
  }
}

variable "scheduler" {
  description = "The resources of the schedules, as ARNs: the functions that they invoke, the queue for invocations that Lambda refuses, the keys of that queue, and their group."
  type = object({
    invoked_arns          = list(string)
    dead_letter_queue_arn = string
    queue_key_arns        = optional(list(string), [])
    group_arn             = string
  })
  default = null
}

variable "queues" {
  description = "The queues, by their key: ARN of the queue, of its dead-letter queue, and of the rule that sends to it. Without a rule, only roles with the right send to it."
  type = map(object({
    queue_arn             = string
    dead_letter_queue_arn = string
    rule_arn              = optional(string)
  }))
  default  = {}
  nullable = false
}

variable "forward" {
  description = "The resources of the role that forwards events, as ARNs: its rules and the event bus that receives the events."
  type = object({
    rule_arns     = list(string)
    event_bus_arn = string
  })
  default = null
}

variable "services" {
  description = "Where the services are that use the keys: the region, and the suffix of its addresses."
  type        = object({ region = string, dns_suffix = string })
  default     = { region = "us-east-1", dns_suffix = "amazonaws.com" }
  nullable    = false
}

variable "account_id" {
  description = "The account, twelve digits. Only its schedules and rules may assume the roles."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be an account id of twelve digits."
  }
}
