"""What the consumer was told about each user, kept in SQLite or DynamoDB."""
