"""From files to a finished review: the one place of this package that reads any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from plan_review.baseline import Acceptance, Baseline, BaselineError, parse_baseline, written_baseline
from plan_review.gates import NAMED_RULES, Breach, GateResult, judge
from plan_review.plan.build import build
from plan_review.plan.configuration import read_configuration
from plan_review.plan.model import Plan
from plan_review.plan.sides import Sources
from plan_review.plan.source import SIZE_MAX, PlanError, decode, read
from plan_review.render import document as render_document
from plan_review.render import html as render_html
from plan_review.render import markdown as render_markdown
from plan_review.render import sarif as render_sarif
from plan_review.render import text as render_text
from plan_review.render import title as render_title
from plan_review.render.escape import clip, plain
from plan_review.report import Review, review

FORMATS = ("text", "markdown", "html", "title", "json", "sarif")
#: Lines about the baseline, of each kind, and what one says of an entry.
_NOTES_MAX = 20
_WHAT_MAX = 200
#: What cdktf writes beside which a plan of its stack is usually kept.
_SYNTHESISED = "cdk.tf.json"


@contextmanager
def _bounded() -> Iterator[None]:
    """Values that can just be decoded may still be too deep to be walked through."""
    try:
        yield
    except RecursionError as error:
        raise PlanError("a value in the plan is nested too deeply to be reviewed") from error


@dataclass(frozen=True)
class Done:
    """A review with the answers of its gates."""

    review: Review
    gates: tuple[GateResult, ...]
    #: The rules that were asked for.
    rules: tuple[str, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)
    #: The files of the plans, by the plans' labels.
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[GateResult, ...]:
        """The gates that didn't pass."""
        return tuple(g for g in self.gates if not g.passed)

    @cached_property
    def breaches(self) -> tuple[Breach, ...]:
        """What breaks any rule, asked for or not."""
        rules = [*NAMED_RULES, *(r for r in self.rules if r not in NAMED_RULES)]
        return tuple(b for gate in judge(self.review, rules, self.baseline.valid) for b in gate.breaches)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the baseline, a line each: entries that expired, and those that nothing needs."""
        if not self.baseline.entries:
            return ()
        ids = [b.id for b in self.breaches]
        expired = [f"{_entry(e)} has expired on {e.expires}: it counts again" for e in self.baseline.expired(ids)]
        unused = [f"{_entry(e)} accepts nothing in this plan" for e in self.baseline.unused(ids)]
        return (*_some(expired), *_some(unused))

    def render(self, style: str, paint: render_text.Paint = render_text.no_paint) -> str:
        """The review in one of FORMATS; only text is painted.

        Raises:
            PlanError: what is to be shown is nested too deeply.
        """
        with _bounded():
            if style == "html":
                return render_html.render(self.review, self.gates, self.notes)
            if style == "markdown":
                return render_markdown.render(self.review, self.gates, self.notes)
            if style == "title":
                return render_title.render(self.review, self.gates)
            if style == "json":
                return render_document.render(self.review, self.gates, self.notes)
            if style == "sarif":
                return render_sarif.render(self.review, self.breaches, self.gates, self.files)
            return render_text.render(self.review, self.gates, paint, self.notes)

    def written_baseline(self, expires: date) -> str:
        """A baseline for everything that makes a gate fail and can be accepted, without the reasons."""
        failing = {b.id: plain(b.text) for gate in self.failed for b in gate.failing if b.acceptable}
        return written_baseline(list(failing.items()), expires)


def _entry(entry: Acceptance) -> str:
    return f"baseline: {entry.id}{f' ({clip(entry.what, _WHAT_MAX)})' if entry.what else ''}"


def _some(lines: Sequence[str]) -> list[str]:
    more = [f"baseline: and {len(lines) - _NOTES_MAX} more"] if len(lines) > _NOTES_MAX else []
    return [*lines[:_NOTES_MAX], *more]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The bytes of a plan, with a name for it, and the texts that its synthesised configuration adds."""

    name: str
    data: bytes
    sources: bytes | None = None


def load(name: str, stdin: BinaryIO) -> Loaded:
    """Read a plan's file, and the `cdk.tf.json` beside it when there is one.

    Raises:
        PlanError: the file can't be read.
    """
    if name == "-":
        return Loaded("-", stdin.read(SIZE_MAX + 1))
    path = Path(name)
    try:
        if path.stat().st_size > SIZE_MAX:
            raise PlanError(f"{plain(name)}: larger than {SIZE_MAX // 1_000_000} MB")
        data = path.read_bytes()
        beside = path.parent / _SYNTHESISED
        sources = beside.read_bytes() if beside.is_file() else None
    except OSError as error:
        raise PlanError(f"{plain(name)}: {error.strerror or 'can not be read'}") from error
    except ValueError as error:
        raise PlanError(f"{plain(name)}: {error}") from error
    return Loaded(name, data, sources)


def load_baseline(name: Path, today: date) -> Baseline:
    """Read a file of accepted findings.

    Raises:
        BaselineError: it can't be read, or isn't one.
    """
    try:
        return parse_baseline(name.read_bytes(), today)
    except OSError as error:
        raise BaselineError(f"{plain(str(name))}: {error.strerror or 'can not be read'}") from error
    except BaselineError as error:
        raise BaselineError(f"{plain(str(name))}: {error}") from error


def run(loaded: Sequence[Loaded], rules: Sequence[str] = (), baseline: Baseline | None = None) -> Done:
    """Review the plans as one.

    Raises:
        PlanError: one of them isn't a plan; the message begins with its name.
    """
    labels = _labels([item.name for item in loaded])
    plans = [_plan(item, label) for item, label in zip(loaded, labels, strict=True)]
    with _bounded():
        found = review(plans)
        known = baseline or Baseline()
        files = {label: item.name for label, item in zip(labels, loaded, strict=True)}
        return Done(found, judge(found, rules, known.valid), tuple(rules), known, files)


def _plan(item: Loaded, label: str) -> Plan:
    try:
        raw = read(item.data)
        with _bounded():
            return build(raw, label, _sources(item.sources, decode(raw.configuration)))
    except PlanError as error:
        raise PlanError(f"{plain(item.name)}: {error}") from error


def _labels(names: Sequence[str]) -> list[str]:
    """What tells the plans apart: the file's name, or the folder's where all files have one name; "" for one plan."""
    if len(names) == 1:
        return [""]
    stems = [Path(n).name.removesuffix(".json") for n in names]
    if len(set(stems)) == len(names):
        return stems
    folders = [Path(n).parent.name for n in names]
    return folders if len(set(folders)) == len(names) else list(names)


def _sources(data: bytes | None, configuration: Any) -> Sources:
    """JSON texts (policies, containers) of the synthesised configuration that the plan only knows after apply.

    Only those whose references are the ones that the plan states for the attribute.

    A file that doesn't belong to the plan (or isn't what its name says) adds nothing.
    """
    if data is None:
        return {}
    try:
        synthesised = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    planned = read_configuration(configuration)
    found: dict[tuple[str, str], str] = {}
    resources = synthesised.get("resource") if isinstance(synthesised, dict) else None
    for kind, named in _items(resources):
        for name, attributes in _items(named):
            address = f"{kind}.{name}"
            for key, value in _items(attributes):
                if isinstance(value, str) and "${" in value and value[:1] in "{[":
                    written = planned.texts(address, key)
                    if written and all(w in value for w in written):
                        found[(address, key)] = value
    return found


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []
