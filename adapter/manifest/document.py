"""YAML text as plain values that remember their lines. Nothing of YAML's dangers gets through.

Stricter than PyYAML's loader: a key twice, an unknown tag, a key that is not text, recursion, and more values than a
manifest can have (an alias bomb) are refused. Aliases and merge keys work. Dates stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from adapter.errors import ConfigError

Path = tuple[str | int, ...]

#: Characters of a manifest, and values that one may unfold to: far above any honest use.
MAX_CHARACTERS = 1_000_000
MAX_VALUES = 50_000
MAX_DEPTH = 50

#: Half a pair of UTF-16, which "\\ud800" is in YAML.
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
_SCALARS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float")}


@dataclass(frozen=True, kw_only=True)
class YamlDocument:
    """One YAML document.

    `number` counts the file's documents that are not empty, from 1; `lines` maps the path of a value to its line.
    """

    file: str
    number: int
    value: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def problem(self, path: Path, message: str) -> str:
        """One line that says where something is wrong: `FILE:LINE: document N: a.b[0]: MESSAGE`."""
        near = path
        while near and near not in self.lines:
            near = near[:-1]
        where = f"{dotted(path)}: " if path else ""
        return f"{self.file}:{self.lines.get(near, 1)}: document {self.number}: {where}{message}"


def dotted(path: Path) -> str:
    """`("env", 0, "name")` as people write it: `env[0].name`; what is no plain name is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if part.isidentifier() or part.replace("-", "_").isidentifier() else shown(part)
            text += f".{name}" if text else name
    return text


def shown(value: Any) -> str:
    """A value in a message: one short line of printable characters, without the password of an address."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a huge number"
    text = re.sub(r"//[^/@]*@", "//***@", ascii(value))
    return text if len(text) <= 120 else f"{text[:100]}... ({len(text)} characters)"


def read_documents(text: str, file: str) -> list[YamlDocument]:
    """The documents of a YAML text.

    Raises:
        ConfigError: not YAML, or YAML that no manifest needs; the first problem only, for what follows a syntax error
            can't be trusted.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{file}: found {len(text)} characters; expected a manifest of at most {MAX_CHARACTERS}")
    try:
        nodes = [node for node in _compose(text) if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        why = " ".join(str(error.problem or error.context).split())
        tabs = "; YAML is indented with spaces, not tabs" if "'\\t'" in why else ""
        raise ConfigError(f"{file}:{line}: this is not valid YAML: {_printable(why)}{tabs}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{file}:{line}: found the character #x{error.character:04x}, which YAML does not allow; remove it"
        ) from None
    except RecursionError:
        raise ConfigError(f"{file}: found values nested too deeply; expected at most {MAX_DEPTH} levels") from None
    return [_NodeReader(file, number).read(node) for number, node in enumerate(nodes, 1)]


class _Loader(yaml.SafeLoader):
    """PyYAML's loader, but for two of its faults: it takes seconds for hopeless depths, and knows no end of Unicode."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As inherited; RecursionError a little below MAX_DEPTH, where `_NodeReader` can no longer name the line."""
        if self._depth > 2 * MAX_DEPTH:
            raise RecursionError
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def fetch_more_tokens(self) -> Any:
        """As inherited; what can't be a number or a character there is a fault of the text."""
        try:
            return super().fetch_more_tokens()
        except (ValueError, OverflowError):
            raise yaml.scanner.ScannerError(None, None, "found a number that is too large", self.get_mark()) from None


def _compose(text: str) -> Iterator[yaml.Node | None]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            empty = isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null" and not node.value
            yield None if empty else node
    finally:
        loader.dispose()


class _NodeReader:
    """Turns the nodes of one document into values."""

    def __init__(self, file: str, number: int) -> None:
        self._document = YamlDocument(file=file, number=number, value=None)
        self._constructor = yaml.constructor.SafeConstructor()
        self._left = MAX_VALUES

    def read(self, node: yaml.Node) -> YamlDocument:
        value = self._value(node, ())
        done = self._document
        return YamlDocument(file=done.file, number=done.number, value=value, lines=done.lines)

    def _refuse(self, node: yaml.Node, path: Path, message: str) -> ConfigError:
        self._document.lines[path] = node.start_mark.line + 1
        return ConfigError(self._document.problem(path, message))

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._left -= 1
        if self._left < 0:
            raise self._refuse(node, (), f"found more than {MAX_VALUES} values; remove the nested aliases")
        if len(path) > MAX_DEPTH:
            raise self._refuse(node, (), f"found values nested more than {MAX_DEPTH} levels deep; expected a manifest")
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        if node.tag != "tag:yaml.org,2002:map":
            raise self._refuse(node, path, f"found the tag {shown(node.tag)}; expected a plain mapping")
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for part in self._merge(value_node, path):
                    merged = part | merged
                continue
            key = self._key(key_node, path)
            if key in own:
                raise self._refuse(key_node, (*path, key), "found this key twice; keep one of them")
            self._document.lines[(*path, key)] = key_node.start_mark.line + 1
            own[key] = self._value(value_node, (*path, key))
        return merged | own

    def _merge(self, node: yaml.Node, path: Path) -> list[dict[str, Any]]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(part, yaml.MappingNode) for part in parts):
            raise self._refuse(node, path, "found '<<' with something else; expected an alias of a mapping")
        # One level deeper than it is: a mapping that merges itself ends at MAX_DEPTH.
        merged = [self._value(part, (*path, "<<")) for part in parts]
        return [part for part in merged if isinstance(part, dict)]

    def _key(self, node: yaml.Node, path: Path) -> str:
        if not isinstance(node, yaml.ScalarNode) or (node.tag not in _TEXT and node.tag not in _SCALARS):
            raise self._refuse(node, path, "found a key that is not text; expected a name")
        return self._text(node, path)

    def _text(self, node: yaml.Node, path: Path) -> str:
        if _SURROGATE.search(node.value):
            raise self._refuse(node, path, f"found {shown(node.value)}, with half a character; expected text")
        return str(node.value)

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        if node.tag in _TEXT:
            return self._text(node, path)
        if node.tag in _SCALARS:
            try:
                return self._constructor.construct_object(node)
            except (ValueError, LookupError, OverflowError, yaml.YAMLError):
                kind = node.tag.rpartition(":")[2]
                raise self._refuse(node, path, f"found what is no {kind}; expected one") from None
        if node.tag == _MERGE:
            return node.value
        raise self._refuse(node, path, f"found the tag {shown(node.tag)}; expected a plain value")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
