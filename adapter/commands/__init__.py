"""The commands of `python -m adapter`, one module each; adapter/cli.py has their table."""
