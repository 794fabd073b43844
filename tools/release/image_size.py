"""How large the adapter's image may be, and whether it is: `make image-test`, a test, and CI ask here.

    python3 -m tools.release.image_size BYTES    check a whole image (docker image inspect --format '{{.Size}}')

Needs only the standard library. What a small task pulls at every start is paid in seconds, so that what makes it larger
should be a decision: raise a budget here, and say why in the commit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

#: What the image adds to its base: the adapter, its dependencies, both compiled. In MB of 1,000,000 bytes. libcurl and
#: its libraries are 17.6 of them, and each has to be there to be loaded; pulled, compressed, they are 6.3 MB
#: (docs/adr/0011).
ADDED_MB: Final = 44.0
#: The whole image on the Dockerfile's own base, of which python:3.13-slim is about 120 MB.
WHOLE_MB: Final = 180.0


def megabytes(folder: Path) -> float:
    """The size of a folder's files, in MB; links count nothing."""
    files = (path.lstat() for path in folder.rglob("*") if not path.is_symlink() and path.is_file())
    return sum(each.st_size for each in files) / 1e6


def parts(packages: Path) -> list[tuple[str, float]]:
    """What lies in a folder of packages: name and MB, the largest first."""
    found = {each.name: megabytes(each) if each.is_dir() else each.stat().st_size / 1e6 for each in packages.iterdir()}
    return sorted(found.items(), key=lambda each: -each[1])


def main(arguments: Sequence[str]) -> int:
    """Compare with the budget; 0 within it, 1 above, 2 for a wrong argument."""
    if len(arguments) != 1 or not arguments[0].isdecimal():
        sys.stderr.write(__doc__ or "")
        return 2
    found = int(arguments[0]) / 1e6
    print(f"image: {found:.0f} MB of at most {WHOLE_MB:.0f} MB")
    return int(found > WHOLE_MB)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
