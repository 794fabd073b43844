"""Where events go: HTTP, Amazon EventBridge, Amazon SQS, files."""
