"""What develops the project: its set-up, its documents, its releases."""
