"""The adapter's settings: read from environment variables, Knative's and OpenTelemetry's among them."""
