"""The JSON Schema that editors use agrees with the loader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.files.yaml_reader import read_yaml
from evalsuite.specs import json_schema
from evalsuite.specs.registry import shipped_folder

Write = Callable[..., Path]

SCHEMA = json_schema()
NOTES = {"examples", "title", "description", "default", "$schema", "$defs"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def violations(schema: dict[str, Any], data: Any, place: str = "") -> Iterator[str]:
    """Places where ``data`` breaks a JSON Schema: the keywords that ours uses, and a failure for any other."""
    for keyword, rule in sorted(schema.items(), key=lambda item: item[0] != "type"):
        match keyword:
            case "$ref":
                yield from violations(SCHEMA["$defs"][rule.removeprefix("#/$defs/")], data, place)
            case "anyOf":
                if all(any(violations(option, data, place)) for option in rule):
                    yield f"{place}: no option fits"
            case "type":
                if not isinstance(data, TYPES[rule]) or (isinstance(data, bool) and rule != "boolean"):
                    yield f"{place}: {rule}"
                    return
            case "const" | "enum":
                if data not in (rule if keyword == "enum" else [rule]):
                    yield f"{place}: {rule}"
            case "pattern":
                if not re.search(rule, data):
                    yield f"{place}: {rule}"
            case "minimum":
                if data < rule:
                    yield f"{place}: {rule}"
            case "minLength" | "minItems" | "minProperties":
                if len(data) < rule:
                    yield f"{place}: {keyword}"
            case "maxLength" | "maxItems" | "maxProperties":
                if len(data) > rule:
                    yield f"{place}: {keyword}"
            case "required":
                yield from (f"{place}.{name}: missing" for name in rule if name not in data)
            case "items":
                for i, item in enumerate(data):
                    yield from violations(rule, item, f"{place}[{i}]")
            case "properties":
                for name in rule.keys() & data.keys():
                    yield from violations(rule[name], data[name], f"{place}.{name}")
            case "patternProperties":
                for name in data:
                    for pattern in (pattern for pattern in rule if re.search(pattern, name)):
                        yield from violations(rule[pattern], data[name], f"{place}.{name}")
            case "propertyNames":
                for name in data:
                    yield from violations(rule, name, f"{place}.{name}")
            case "additionalProperties":
                known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
                for name in data:
                    if name in known or any(re.search(pattern, name) for pattern in patterns):
                        continue
                    yield from [f"{place}.{name}: unknown"] if rule is False else violations(rule, data[name], name)
            case _:
                assert keyword in NOTES, f"this test does not know the keyword {keyword!r}"


def test_every_shipped_spec_fits_the_json_schema() -> None:
    for path in sorted(shipped_folder().rglob("*.yaml")):
        data = read_yaml(path).data
        if data.get("kind") != "group":
            assert list(violations(SCHEMA, data)) == [], path.name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  max_tokens: 32", "  max_tokns: 32"),
        ("max_new_tokens: 16", "max_new_tokens: 0"),
        ("id: signs", "id: Signs"),
        ("title: Signs\n", ""),
        ("    headline: true", "    headline: yes"),
    ],
)
def test_what_the_loader_refuses_the_json_schema_refuses(write_spec: Write, old: str, new: str) -> None:
    assert not any(violations(SCHEMA, read_yaml(write_spec()).data))
    assert any(violations(SCHEMA, read_yaml(write_spec((old, new))).data))


def test_fields_are_described() -> None:
    """Editors show the text of a field beside it."""
    assert SCHEMA["properties"]["transfer"]["description"].startswith("fine-tuning run")
    assert SCHEMA["$defs"]["Prompt"]["properties"]["prefix"]["description"]


def test_the_dialect_is_named() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
