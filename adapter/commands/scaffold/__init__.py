"""`python -m adapter init`: from a few answers to a manifest."""
