"""Detects changes: pure comparison of what a page shows with what is known."""
