"""`python -m plan_review`."""

from __future__ import annotations

import gc

from plan_review.cli import main

if __name__ == "__main__":
    # A review is one pass over many small objects that live to the end: looking for garbage takes a third of its time.
    gc.disable()
    main(prog_name="python -m plan_review")
