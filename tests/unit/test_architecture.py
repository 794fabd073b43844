"""The code keeps to its architecture, and docs/architecture.md with its picture shows it as it is."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tools.docs import reference, tables
from tools.docs.architecture import ALLOWED, PROGRAMS, imports, within

ROOT = Path(__file__).resolve().parents[2]
IMPORTS = imports(ROOT)


def test_programs_import_of_each_other_only_what_is_allowed() -> None:
    assert set(ALLOWED) == set(PROGRAMS)
    wrong = [
        f"{module} imports {name}"
        for module, names in IMPORTS.items()
        for name in names
        for program in [module.partition(".")[0]]
        # `from adapter.arn import ...` names the package adapter, too.
        if name.partition(".")[0] != program and not within(name, ALLOWED[program]) and "." in name
    ]
    assert wrong == []


def test_what_is_allowed_is_used() -> None:
    used = {(module.partition(".")[0], name) for module, names in IMPORTS.items() for name in names}
    unused = [
        f"{program}: {allowed}"
        for program, names in ALLOWED.items()
        for allowed in names
        if not any(within(name, frozenset({allowed})) for by, name in used if by == program)
    ]
    assert unused == []


def test_no_module_imports_another_in_a_circle() -> None:
    left = {module: set(names) for module, names in IMPORTS.items()}
    while ready := [module for module, names in left.items() if not names & set(left)]:
        for module in ready:
            del left[module]
    assert left == {}


def _importing(modules: str) -> list[str]:
    """The files of the programs that import one of these modules: a regular expression."""
    files = [path for program in PROGRAMS for path in [*ROOT.glob(f"{program}.py"), *(ROOT / program).rglob("*.py")]]
    line = re.compile(rf"^\s*(from|import) ({modules})\b", re.MULTILINE)
    return [path.relative_to(ROOT).as_posix() for path in files if line.search(path.read_text())]


def test_one_file_imports_cdktf() -> None:
    assert _importing("cdkt[fn]\\w*|constructs") == ["stacks/bindings.py"]


def test_no_program_imports_what_tests_and_develops_it() -> None:
    assert _importing("emulator|demo|tools|tests|benchmarks") == []


@pytest.mark.parametrize("document", tables.documents(), ids=lambda path: path.name)
def test_a_documents_tables_are_those_of_the_code(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert tables.rendered(text) == text, "run: python -m tools.docs.tables"


def test_the_command_lines_are_those_of_the_code() -> None:
    assert reference.rendered() == reference.DOCUMENT.read_text(encoding="utf-8"), "run: python -m tools.docs.reference"


def test_the_picture_names_what_exists() -> None:
    drawn = (ROOT / "docs/pictures/architecture.svg").read_text(encoding="utf-8")
    names = re.findall(r'class="ink mono bold"[^>]*>([^<]+)<', drawn)
    assert {"main", "stacks", "iam", "pipeline", "cognito"} <= set(names)
    places = [ROOT, ROOT / "adapter", ROOT / "adapter/observability"]
    there = {path.stem for place in places for path in place.iterdir()}
    assert [name for name in names if name not in there] == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs/pictures").glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_says_what_it_shows_and_loads_nothing(path: Path) -> None:
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 (our own file)
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title")
    assert root.findtext(f"{space}desc")
    assert "prefers-color-scheme: dark" in (root.findtext(f"{space}style") or "")
    assert not re.search(r"url\(|href|@import|<script|<image", path.read_text(encoding="utf-8"))
