"""`python -m iam`."""

import signal
from types import FrameType

from iam.cli import main


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # As Ctrl-C does: a key that was made and not stored yet is deleted again.
    signal.signal(signal.SIGTERM, _interrupt)
    main(prog_name="python -m iam")
