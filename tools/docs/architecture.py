"""Which part of the code may import which, and which does: read from the source, nothing is imported.

tests/unit/test_architecture.py holds the code to `ALLOWED`; the picture of docs/architecture.md is drawn from it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What is no program, and yet explained.
_OTHERS = ("emulator", "demo", "benchmarks", "tools")
#: The programs of the repository, from the top of a deployment to its foundation.
PROGRAMS = ("main", "stacks", "plan_review", "iam", "adapter")
#: What each may import of the others: packages or modules. Arrows go one way, and adapter imports none of them.
ALLOWED: Mapping[str, frozenset[str]] = {
    "main": frozenset({"stacks", "adapter.errors", "adapter.manifest"}),
    "stacks": frozenset(
        {
            *("iam.names", "iam.policy", "plan_review"),
            *("adapter.arn", "adapter.observability.emf", "adapter.errors", "adapter.manifest"),
            *("adapter.state.dynamodb.requirements", "adapter.config.opentelemetry", "adapter.version"),
        }
    ),
    "plan_review": frozenset(),
    "iam": frozenset({"adapter.arn", "adapter.errors", "adapter.manifest", "adapter.version"}),
    "adapter": frozenset(),
}


def modules(root: Path, program: str) -> dict[str, Path]:
    """A program's modules by their dotted names."""
    if (root / f"{program}.py").exists():
        return {program: root / f"{program}.py"}
    return {_name(root, path): path for path in sorted((root / program).rglob("*.py"))}


@cache
def imports(root: Path) -> dict[str, set[str]]:
    """What each module of PROGRAMS imports of them, at any place in it; packages count where they are named."""
    known = {name: path for program in PROGRAMS for name, path in modules(root, program).items()}
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {each for node in ast.walk(tree) for each in _named(node)}
        found[name] = {each for each in named if each in known and each != name}
    return found


def within(name: str, allowed: frozenset[str]) -> bool:
    """Whether a module is one of those, or inside of one."""
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def part(module: str) -> str:
    """The part of a program that a module belongs to: `adapter.sinks` of adapter.sinks.http, itself if it is alone."""
    return ".".join(module.split(".")[:2])


def summary(path: Path) -> str:
    """The first sentence of a module's docstring; of a package, of its __init__.py."""
    file = path / "__init__.py" if path.is_dir() else path
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ")


def rules_table() -> str:
    """What each program may import of the others, in Markdown."""
    rows = [(f"`{name}`", ", ".join(f"`{each}`" for each in sorted(ALLOWED[name])) or "nothing") for name in PROGRAMS]
    return _table(("program", "may import of the others"), rows)


def packages_table() -> str:
    """Every package and what it is, by its own docstring, in Markdown."""
    folders = [ROOT / "main.py"]
    for name in (*PROGRAMS[1:], *_OTHERS):
        inner = sorted(path.parent for path in (ROOT / name).glob("*/__init__.py"))
        folders += [ROOT / name, *(path for path in inner if name in PROGRAMS)]
    return _table(
        ("package", "what it is"), [(f"`{each.relative_to(ROOT).as_posix()}`", summary(each)) for each in folders]
    )


def modules_table() -> str:
    """The adapter's modules that are in no package of their own, in Markdown."""
    files = [path for path in sorted((ROOT / "adapter").glob("*.py")) if not path.name.startswith("__")]
    return _table(("module", "what it is"), [(f"`{path.stem}`", summary(path)) for path in files])


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *((left, right.replace("|", "\\|")) for left, right in rows)]
    return "\n".join(f"| {left} | {right} |" for left, right in lines)


def _name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        # `from adapter import app` names a module, `from adapter.runtime.app import run` does not.
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []
