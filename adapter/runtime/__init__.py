"""The process: opens and closes what a source needs, its servers, credentials and signals."""
