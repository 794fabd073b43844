"""What people and machines see of a running adapter: metrics, health, progress, traces, the status page."""
