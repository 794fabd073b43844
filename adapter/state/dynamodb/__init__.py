"""The state in a DynamoDB table, with a lease and fencing."""
