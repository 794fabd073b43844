"""Traces in OpenTelemetry's form. Its packages are imported only when traces are asked for, by `start`."""
