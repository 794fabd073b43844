"""What `make demo` shows: a deployment to the emulated AWS, changes of users and their events, and its end."""
