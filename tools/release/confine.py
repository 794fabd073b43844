"""Starts a program in a root folder as Fargate would start a container: `python3 confine.py FILE`, as root.

FILE is JSON: root, user ("uid:gid"), workdir, environment, command, writable (folders that get an own file system), and
readonly. Must run in a mount namespace of its own (`unshare --mount`), or the mounts stay.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")


def main(file: str) -> None:
    """Mount, drop everything, become the program."""
    config = json.loads(Path(file).read_text())
    root = Path(config["root"])
    capabilities = int(_LAST_CAPABILITY.read_text())
    _mount("--bind", str(root), str(root))
    for device in ("null", "urandom"):
        node = root / "dev" / device
        node.touch()
        _mount("--bind", f"/dev/{device}", str(node))
    for folder in config["writable"]:
        _mount("-t", "tmpfs", "-o", "mode=1777,size=256m", "tmpfs", str(root / folder.lstrip("/")))
    if config["readonly"]:
        _mount("-o", "remount,bind,ro", str(root))
    os.chroot(root)
    os.chdir(config["workdir"])
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(capabilities + 1):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    user, group = map(int, config["user"].split(":"))
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    environment = config["environment"]
    for folder in environment["PATH"].split(":"):
        program = f"{folder}/{config['command'][0]}"
        if os.access(program, os.X_OK):
            os.execve(program, config["command"], environment)  # noqa: S606 - no shell: that is the point
    raise SystemExit(f"{config['command'][0]} is not in the image")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
