"""Fixtures that the metric tests share: recorded answers of the official implementations."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from evalsuite.metrics.verification import shipped_golden_files

GOLDEN = shipped_golden_files()


def _decode(value: dict[str, Any]) -> Any:
    return float(value["__float__"]) if value.keys() == {"__float__"} else value


@pytest.fixture(scope="session")
def golden() -> Callable[[str], list[dict[str, Any]]]:
    """``golden("anls")`` reads metrics/golden/anls.jsonl.gz, a dict a line, ``{"__float__": "nan"}`` as NaN."""

    def read(name: str) -> list[dict[str, Any]]:
        with gzip.open(GOLDEN / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            return [json.loads(line, object_hook=_decode) for line in lines]

    return read


@pytest.fixture(scope="session")
def is_error() -> Callable[[Any], bool]:
    """Tells an entry ``{"error": "Name"}``: the official program raises on this input and gives no value to compare."""
    return lambda expected: isinstance(expected, dict) and "error" in expected
