"""The configuration as far as it can be read: one wrong variable must not keep the doctor from the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from adapter.commands.checks.check import Check, fail, ok
from adapter.config.settings import Settings, load
from adapter.config.variables import VARIABLES
from adapter.errors import ConfigError

#: What stands for a required variable that is wrong, so that the others can be read.
_STAND_INS: Final = {
    "ARN": "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_none",
    "K_SINK": "stdout:",
}
_TOGETHER: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The settings, without the variables named in `wrong`; `problems` says what is wrong with them, one line each."""

    settings: Settings
    problems: tuple[str, ...] = ()
    wrong: frozenset[str] = frozenset()
    given: int = 0

    def checks(self) -> Iterator[Check]:
        """The configuration's own checks."""
        if not self.problems:
            yield ok("configuration", f"{self.given} of {len(VARIABLES)} variables are set, all can be read")
        for problem in self.problems:
            found, _, mend = problem.partition("; ")
            yield fail("configuration", found, mend)


def read(environment: Mapping[str, str]) -> Surroundings:
    """Read what can be read of the configuration. Never raises ConfigError."""
    names = [variable.name for variable in VARIABLES]
    given = sum(bool(environment.get(name)) for name in names)
    try:
        return Surroundings(settings=load(environment), given=given)
    except ConfigError as error:
        problems = error.problems
    # First what a problem is about, then (contradictions) all that it mentions, at last everything optional.
    about = {name for name in names for problem in problems if problem.startswith(f"{name} ")}
    mentioned = {name for name in names for problem in problems if re.search(rf"\b{name}\b", problem)}
    for wrong in (about, about | mentioned, set(names) - (set(_STAND_INS) - about)):
        dropped = wrong | (set(_TOGETHER) if wrong & set(_TOGETHER) else set())
        repaired = {**environment, **dict.fromkeys(dropped, "")}
        repaired |= {name: text for name, text in _STAND_INS.items() if name in dropped}
        try:
            settings = load(repaired)
        except ConfigError:
            continue
        return Surroundings(settings=settings, problems=problems, wrong=frozenset(dropped), given=given)
    settings = load(_STAND_INS)
    return Surroundings(settings=settings, problems=problems, wrong=frozenset(names), given=given)
