"""What becomes of a state file when its container is replaced, as the kernel's table of mounts tells."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from adapter.runtime import app
from adapter.state.durability import fate, fate_of_state

STATE = "/var/lib/cognito-source/cognito-source.db"
LAYER = "600 500 0:50 / / rw,relatime master:200 - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c\n"
PROC = "601 600 0:60 / /proc rw,nosuid - proc proc rw\n"


def mount(root: str, kind: str = "ext4", point: str = "/var/lib/cognito-source") -> str:
    return f"{LAYER}{PROC}700 600 259:1 {root} {point} rw,relatime - {kind} /dev/nvme1n1 rw\n"


@pytest.mark.parametrize(
    ("mounts", "words"),
    [
        (LAYER + PROC, "own layer"),
        (mount("/", kind="tmpfs"), "memory"),
        (mount("/var/lib/kubelet/pods/8f0c/volumes/kubernetes.io~empty-dir/state"), "emptyDir"),
        (mount("/lib/kubelet/pods/8f0c/volumes/kubernetes.io~empty-dir/state", point="/var/lib"), "emptyDir"),
        (mount("/var/lib/containerd/io.containerd.grpc.v1.cri/containers/ab12/volumes/77"), "container alone"),
        (mount(f"/var/lib/docker/volumes/{'0f' * 32}/_data"), "without a name"),
        (mount(f"/home/me/.local/share/containers/storage/volumes/{'0f' * 32}/_data"), "without a name"),
    ],
)
def test_a_place_that_goes_with_the_container_is_known(mounts: str, words: str) -> None:
    assert words in (fate(STATE, mounts) or "")


@pytest.mark.parametrize(
    "mounts",
    [
        mount("/"),
        mount("/var/lib/kubelet/pods/8f0c/volumes/kubernetes.io~csi/pvc-1/mount"),
        mount("/var/lib/docker/volumes/customers/_data"),
        mount("/srv/state", kind="nfs4"),
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n",
        "",
        "nonsense\n - \n1 2 3 4 - ext4\n",
    ],
)
def test_a_place_that_lasts_or_that_nobody_knows_is_not_warned_of(mounts: str) -> None:
    assert fate(STATE, mounts) is None


def test_the_innermost_and_latest_mount_counts() -> None:
    durable = mount("/") + mount("/", kind="tmpfs", point="/var/lib/cognito-source/cache").partition(PROC)[2]
    assert fate(STATE, durable) is None
    assert fate("/var/lib/cognito-source/cache/x.db", durable) == "memory (tmpfs)"
    over = mount("/", kind="tmpfs") + mount("/").partition(PROC)[2]
    assert fate(STATE, over) is None


def test_a_file_that_is_mounted_alone_lasts_but_its_log_does_not() -> None:
    alone = mount("/state/cognito-source.db", point=STATE)
    assert fate(STATE, alone) is None
    assert fate_of_state(STATE, alone) == "the container's own layer"
    assert fate_of_state(STATE, mount("/")) is None


def test_links_in_a_circle_are_no_bug(tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "state.db")
    app.warn_of_loss(f"sqlite:///{tmp_path / 'state.db'}")


def test_a_folder_whose_name_begins_alike_is_another_one() -> None:
    mounts = mount("/", kind="tmpfs", point="/var/lib/cog")
    assert fate(STATE, mounts) == "the container's own layer"


def test_spaces_in_names_are_understood() -> None:
    mounts = "1 0 259:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / /with\\040space rw - tmpfs tmpfs rw\n"
    assert fate("/with space/state.db", mounts) == "memory (tmpfs)"


def test_the_adapter_says_at_its_start_that_its_state_will_not_last(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(LAYER + PROC)
    monkeypatch.setattr(app, "MOUNTS", str(mounts))
    with caplog.at_level(logging.WARNING, logger="adapter"):
        app.warn_of_loss("sqlite:///cognito-source.db")
        app.warn_of_loss("dynamodb://cognito-source")
        mounts.unlink()
        app.warn_of_loss("sqlite:///cognito-source.db")
    (record,) = caplog.records
    assert "own layer" in record.getMessage()
    assert "STATE_URL" in record.getMessage()
    assert record.__dict__["action"] == "state_ephemeral"
