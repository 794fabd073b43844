"""`python -m adapter`, and the command `cognito-source`."""

import sys

from adapter import startup

startup.obey_signals(sys.argv)
startup.keep_standard_streams()

from adapter.commands.cli import main  # noqa: E402 - it takes a third of a second, in which a signal must not be lost

if __name__ == "__main__":
    main()
