# The bus that the adapter sends to, and the rule that hands its events to the function.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html

resource "aws_cloudwatch_event_bus" "users" {
  name = var.name
}

resource "aws_cloudwatch_event_rule" "users" {
  name           = var.name
  description    = "Every change of a user of a Cognito user pool"
  event_bus_name = aws_cloudwatch_event_bus.users.name
  event_pattern  = file("${path.module}/pattern.json")
}

resource "aws_cloudwatch_event_target" "function" {
  rule           = aws_cloudwatch_event_rule.users.name
  event_bus_name = aws_cloudwatch_event_bus.users.name
  arn            = aws_lambda_function.users.arn

  # Of events that Lambda does not take; those that the function fails on are in its own dead_letter_config.
  dead_letter_config {
    arn = aws_sqs_queue.failures.arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
}

resource "aws_lambda_permission" "rule" {
  statement_id  = "rule"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.users.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.users.arn
}

# The function. Its package: python3 -m zipfile -c handler.zip handler.py
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html

resource "aws_lambda_function" "users" {
  function_name    = var.name
  description      = "Keeps a table of users, made of events of cognito-source"
  filename         = "${path.module}/handler.zip"
  source_code_hash = filebase64sha256("${path.module}/handler.zip")
  handler          = "handler.handler"
  runtime          = var.runtime
  role             = aws_iam_role.function.arn
  memory_size      = 256
  timeout          = 15

  environment {
    variables = {
      TABLE = aws_dynamodb_table.users.name
    }
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.failures.arn
  }

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "function" {
  name               = "${var.name}-function"
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

data "aws_iam_policy_document" "lambda" {
  statement {
    sid     = "LambdaAssumes"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "function" {
  statement {
    sid       = "StoreUsers"
    actions   = ["dynamodb:PutItem"]
    resources = [aws_dynamodb_table.users.arn]
  }

  statement {
    sid       = "KeepFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }
}

# What it keeps: users, ids of events, and for a while what was deleted.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html

resource "aws_dynamodb_table" "users" {
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"

  attribute {
    name = "pk"
    type = "S"
  }

  ttl {
    attribute_name = "expires_s"
    enabled        = true
  }

  server_side_encryption {
    enabled = true
  }

  point_in_time_recovery {
    enabled = true
  }
}

# What neither Lambda nor the function took. They hold personal data: 14 days at most.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html

resource "aws_sqs_queue" "failures" {
  name                      = "${var.name}-failures"
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue_policy" "failures" {
  queue_url = aws_sqs_queue.failures.id
  policy    = data.aws_iam_policy_document.failures.json
}

data "aws_iam_policy_document" "failures" {
  statement {
    sid       = "RuleKeepsFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.users.arn]
    }
  }
}
