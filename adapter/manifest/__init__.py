"""The manifest: YAML documents, one per user pool, in the shape that TriggerMesh's users have.

`load` reads and validates a file, `environment` gives the variables that configure the adapter.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from adapter.errors import ConfigError
from adapter.manifest.check import problems
from adapter.manifest.deployment import DeploymentDocument
from adapter.manifest.document import YamlDocument, read_documents, shown
from adapter.manifest.environment import assumed_role, environment, sink_target
from adapter.manifest.rules import deployment_problems, refused_settings, source_problems, warnings
from adapter.manifest.source import Manifest, Source
from adapter.manifest.spec import API_VERSION, DEPLOYMENT_API_VERSION, DEPLOYMENT_KIND, KIND, SourceDocument

__all__ = ["Manifest", "Source", "assumed_role", "environment", "load", "parse", "read", "sink_target"]

_KINDS: dict[str, tuple[str, type[SourceDocument | DeploymentDocument]]] = {
    KIND: (API_VERSION, SourceDocument),
    DEPLOYMENT_KIND: (DEPLOYMENT_API_VERSION, DeploymentDocument),
}


def load(path: str | Path) -> tuple[Source, ...]:
    """The sources of a manifest file, validated; see `read`."""
    return read(path).sources


def read(path: str | Path) -> Manifest:
    """Read and validate a manifest file.

    Raises:
        ConfigError: the file can't be read, or is no manifest. One line per problem, all problems that can be found:
            `FILE:LINE: document N: spec.path: found X; expected Y`.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: the manifest can't be read: {error.strerror or 'unknown error'}") from None
    except ValueError:
        raise ConfigError(f"{str(path)!a}: this is not the name of a file") from None
    return parse(raw, str(path))


def parse(raw: bytes | str, file: str = "manifest") -> Manifest:
    """Validate the text of a manifest; `file` is its name in messages. Raises ConfigError as `read` does."""
    text = raw if isinstance(raw, str) else _decode(raw, file)
    found: list[str] = []
    sources: list[Source] = []
    deployments: list[tuple[YamlDocument, DeploymentDocument]] = []
    documents = read_documents(text, file)
    for document in documents:
        made, wrong = _document(document)
        found += wrong
        if isinstance(made, DeploymentDocument):
            deployments.append((document, made))
        elif isinstance(made, SourceDocument):
            sources.append(_source(document, made))
    found += [
        document.problem((), f"found a second {DEPLOYMENT_KIND}; expected at most one")
        for document, _ in deployments[1:]
    ]
    found += _doubles(sources)
    if not sources and not found:
        found.append(f"{file}:1: found no source; expected at least one document of kind {KIND}")
    if found:
        raise ConfigError(found)
    if deployments:
        return Manifest(file=file, sources=tuple(sources), deployment=deployments[0][1])
    return Manifest(file=file, sources=tuple(sources))


def _decode(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: found bytes that are not UTF-8; save the file as UTF-8") from None


def _document(document: YamlDocument) -> tuple[SourceDocument | DeploymentDocument | None, list[str]]:
    value = document.value
    if not isinstance(value, dict):
        return None, [
            document.problem((), f"found {shown(value)}; expected a mapping with apiVersion, kind, metadata, spec")
        ]
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        seen = shown(kind) if "kind" in value else "nothing"
        return None, [document.problem(("kind",), f"found {seen}; expected {KIND} or {DEPLOYMENT_KIND}")]
    _, struct = _KINDS[kind]
    wrong = [document.problem(path, message) for path, message in problems(value, struct)]
    if wrong:
        return None, wrong
    try:
        made = msgspec.convert(value, struct)
    except msgspec.ValidationError as error:
        return None, [document.problem((), str(error))]
    if isinstance(made, DeploymentDocument):
        more = [*deployment_problems(made.spec)]
    else:
        more = [*source_problems(made.spec)]
        named = [path for path, _ in more]
        # The adapter's own reader would name again what is wrong by these rules.
        more += [
            (path, message)
            for path, message in refused_settings(made.metadata.name, made.metadata.namespace, made.spec)
            if not any(path[: len(each)] == each or each[: len(path)] == path for each in named)
        ]
    return made, [document.problem(path, message) for path, message in more]


def _source(document: YamlDocument, made: SourceDocument) -> Source:
    return Source(
        name=made.metadata.name,
        namespace=made.metadata.namespace,
        spec=made.spec,
        document=document,
        warnings=tuple(warnings(document, made.spec)),
    )


def _doubles(sources: list[Source]) -> list[str]:
    found: list[str] = []
    for field, path in (("name", ("metadata", "name")), ("arn", ("spec", "arn"))):
        first: dict[str, Source] = {}
        for source in sources:
            value = source.name if field == "name" else source.spec.arn
            if value in first:
                found.append(
                    source.document.problem(
                        path, f"found {value}, which document {first[value].document.number} has too; expected another"
                    )
                )
            first.setdefault(value, source)
    return found
