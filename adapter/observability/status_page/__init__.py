"""The status page: what a running adapter does and did in the last hours, for people with a browser."""
