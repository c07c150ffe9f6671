"""A machine that lacks things."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

Change = Callable[..., None]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Change:
    """``installed(openvino=None, transformers="4.57.6")``: what pip and Python say of these packages from now on."""

    def call(**versions: str | None) -> None:
        version, find = importlib.metadata.version, importlib.util.find_spec

        def fake_version(name: str) -> str:
            found = versions[name] if name in versions else version(name)
            if found is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return found

        def fake_find(name: str, *rest: Any) -> Any:
            if name in versions:
                return None if versions[name] is None else importlib.machinery.ModuleSpec(name, None)
            return find(name, *rest)

        monkeypatch.setattr(importlib.metadata, "version", fake_version)
        monkeypatch.setattr(importlib.util, "find_spec", fake_find)

    return call
