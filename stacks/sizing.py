"""Kubernetes quantities as a Fargate task size.

Sizes: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from adapter.manifest.spec import Resources

_MIB = 1024 * 1024
#: More than any machine has, and still a number that can be rounded (a quantity may be infinite).
_ABSURD = 1e18
_FACTORS = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_FACTORS |= {f"{prefix}i": 1024.0**power for power, prefix in enumerate("KMGTPE", 1)}

#: CPU units (1024 = one vCPU) and the MiB that go with them.
SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}


@dataclass(frozen=True)
class TaskSize:
    """CPU units and MiB of a Fargate task."""

    cpu: int
    memory: int


def quantity(text: str | float) -> float:
    """A Kubernetes quantity as a number: `250m` is 0.25, `512Mi` is 536,870,912.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    if not isinstance(text, str):
        return float(text)
    match = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)([a-zA-Z]*)", text)
    if match is None or match[2] not in _FACTORS:
        raise ValueError(f"{text!r} is not a Kubernetes quantity")
    return float(match[1]) * _FACTORS[match[2]]


def task_size(resources: Resources) -> tuple[TaskSize, str]:
    """The smallest Fargate size that has what is asked for (the larger of limit and request), and a note if none has.

    Nothing asked for: a quarter of a vCPU and 512 MiB.
    """
    cpu = _largest("cpu", resources)
    memory = _largest("memory", resources)
    units = math.ceil(cpu * 1024)
    mib = math.ceil(memory / _MIB)
    for size, memories in SIZES.items():
        fitting = [each for each in memories if each >= mib]
        if size >= units and fitting:
            return TaskSize(size, fitting[0]), ""
    largest = max(SIZES)
    return TaskSize(largest, SIZES[largest][-1]), "more than Fargate's largest task; that one is used"


def _largest(name: str, resources: Resources) -> float:
    asked = max(quantity(each.get(name, 0)) for each in (resources.limits, resources.requests))
    return min(asked, _ABSURD)
