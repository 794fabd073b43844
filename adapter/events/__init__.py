"""Encodes a change as a CloudEvent, and events in the content modes of HTTP."""
