"""Events as they come, readable (`python -m adapter tail`): from a sink of our own, a file, a running adapter."""
