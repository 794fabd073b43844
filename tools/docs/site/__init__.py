"""Builds the docs site out of the Markdown that the repository's readers see: `make docs`."""
