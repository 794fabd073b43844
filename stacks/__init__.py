"""What `cdktf deploy` creates, and its plan."""
