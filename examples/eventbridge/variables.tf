variable "name" {
  description = "The name of everything that is created here."
  type        = string
  default     = "cognito-users"
  nullable    = false
}

variable "runtime" {
  description = "The Lambda function's runtime: Python 3.11 or newer."
  type        = string
  default     = "python3.13"
  nullable    = false
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the function's logs, in days."
  type        = number
  default     = 30
  nullable    = false
}
