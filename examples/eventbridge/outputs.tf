output "event_bus_arn" {
  description = "The sink of the adapter: K_SINK, or sink.eventBridge.eventBusArn of the manifest."
  value       = aws_cloudwatch_event_bus.users.arn
}

output "table_name" {
  description = "The table of users: items whose pk begins with user#."
  value       = aws_dynamodb_table.users.name
}

output "failures_queue_url" {
  description = "Events that the function could not store: send them to the bus again when it can."
  value       = aws_sqs_queue.failures.id
}
