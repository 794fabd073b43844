"""The commands of `python -m adapter`, one module each; adapter/commands/cli.py has their table."""
