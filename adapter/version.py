"""The version of this project: the one place where it is written.

pyproject.toml takes it from here (an image and a checkout have no installed package to ask), and so do the command
lines, the User-Agent of every request, the image's label, its tag in our registry, and the first line of the log.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
#: How the adapter names itself to those whom it calls.
USER_AGENT: Final = f"cognito-source/{VERSION}"
