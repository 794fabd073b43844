"""Whether a file goes with its container: told from Linux's table of mounts, and only where that table is sure.

A state in such a place works, and is lost when the container is replaced. Pure.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

#: Where Linux lists the mounts that this process sees (proc_pid_mountinfo(5)).
MOUNTS: Final = "/proc/self/mountinfo"

_ESCAPE = re.compile(r"\\([0-7]{3})")
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
#: What the kernel calls the layers of a container's root.
_LAYERS: Final = frozenset({"overlay", "aufs"})
#: By the folder on the host behind a mount: kubelet's emptyDir, the volume that containerd makes for a VOLUME of the
#: image, and the one without a name that Docker and Podman make for it.
_HOST_FOLDERS: Final = (
    (re.compile(r"/kubernetes\.io~empty-dir/"), "an emptyDir volume, which goes with its pod"),
    (re.compile(r"/io\.containerd\.grpc\.v1\.cri/containers/"), "a volume of the container alone"),
    (re.compile(r"/volumes/[0-9a-f]{64}/_data(/|$)"), "a volume without a name, which the next container does not get"),
)


def fate(path: str, mounts: str) -> str | None:
    """What becomes of a file when its container is replaced.

    Args:
        path: the file, absolute and without symbolic links.
        mounts: the content of `MOUNTS`.

    Returns:
        Where the file is, in words, when it does not outlive the container; None when it does, or when nobody can tell.
    """
    found: tuple[PurePosixPath, str, str] | None = None
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split()
        if not separator or len(fields) < 5 or not after:
            continue
        root, point = (_ESCAPE.sub(lambda match: chr(int(match[1], 8)), text) for text in fields[3:5])
        where = PurePosixPath(point)
        # Of two mounts at one place the later one is seen.
        if PurePosixPath(path).is_relative_to(where) and (found is None or len(where.parts) >= len(found[0].parts)):
            found = (where, root, after.split()[0])
    if found is None:
        return None
    point_, root, kind = found
    if kind in _LAYERS and point_ == PurePosixPath("/"):
        return "the container's own layer"
    if kind in _IN_MEMORY:
        return "memory (tmpfs)"
    return next((words for pattern, words in _HOST_FOLDERS if pattern.search(root)), None)


def fate_of_state(path: str, mounts: str) -> str | None:
    """What becomes of a SQLite file and of its log beside it, which a mount of the file alone does not keep.

    Args and result as for `fate`.
    """
    return fate(path, mounts) or fate(f"{path}-wal", mounts)
