"""What `cdktf deploy` creates, and the review of its plans."""
