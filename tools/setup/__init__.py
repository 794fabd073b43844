"""The development environment: what is fetched into .tools/, and the lock files that pin it."""
