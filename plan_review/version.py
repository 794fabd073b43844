"""The version of the package that this review came with."""

from __future__ import annotations

from importlib import metadata

#: The distribution that holds the package.
DISTRIBUTION = "cognito-source"


def version() -> str:
    """The installed version; "(not installed)" where the code runs from a checkout."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "(not installed)"
