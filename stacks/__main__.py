"""`python -m stacks`."""

from __future__ import annotations

from stacks.cli import main

if __name__ == "__main__":
    main(prog_name="python -m stacks")
