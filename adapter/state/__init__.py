"""What was reported of each user, kept in SQLite or DynamoDB."""
