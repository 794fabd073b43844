"""The published schema is that of the code, and agrees with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from adapter.errors import ConfigError
from adapter.manifest import parse
from adapter.manifest.describe import FIELDS
from adapter.manifest.schema import markdown, schema, text
from tests.unit.manifest.test_environment import EVERYTHING
from tests.unit.manifest.test_manifest import ORIGINAL, SMALLEST

ROOT = Path(__file__).parents[3]


def test_the_published_schema_is_generated() -> None:
    published = (ROOT / "schemas" / "source.schema.json").read_text()
    assert published == text(), "run: python -m adapter.manifest.schema > schemas/source.schema.json"


def test_it_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_field_is_described_and_every_description_has_a_field() -> None:
    parts = schema()["$defs"].items()
    fields = {f"{name}.{field}": about for name, part in parts for field, about in part.get("properties", {}).items()}
    assert set(FIELDS) <= set(fields)
    assert all(about["description"] for about in fields.values())


@pytest.mark.parametrize("manifest", [SMALLEST, EVERYTHING, ORIGINAL, (ROOT / "source.yaml").read_text()])
def test_valid_manifests_are_valid_by_the_schema(manifest: str) -> None:
    for document in yaml.safe_load_all(manifest):
        assert not list(_validator().iter_errors(document))


@pytest.mark.parametrize(
    "change",
    [
        {"arn": "arn:aws:s3:::bucket"},
        {"sink": {}},
        {"sinc": {}},
        {"polling": {"maxRps": 0}},
        {"delivery": {"format": "xml"}},
        {"auth": {}},
        {"credentials": {"recoveryWindowDays": 3}},
        {"adapterOverrides": {"env": [{"name": "A", "value": 5}]}},
    ],
)
def test_schema_and_code_refuse_the_same(change: dict[str, Any]) -> None:
    document = yaml.safe_load(SMALLEST)
    document["spec"] |= change
    assert list(_validator().iter_errors(document))
    with pytest.raises(ConfigError):
        parse(yaml.safe_dump(document))


def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema())


def test_the_documentation_has_the_tables_of_the_code() -> None:
    page = (ROOT / "docs" / "manifest.md").read_text()
    assert markdown() in page, "run: python -m tools.docs.tables"
