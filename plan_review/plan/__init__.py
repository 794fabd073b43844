"""Reading a plan: from the file's bytes to a model that holds no sensitive value."""
