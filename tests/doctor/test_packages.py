"""Packages are told by the extra that brings them, from evalsuite's own metadata."""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.doctor.packages import EXTRAS, SERVES, Extra, extras

ROOT = Path(__file__).resolve().parents[2]


def listed() -> dict[str, Extra]:
    return {extra.name: extra for extra in extras()}


def test_every_extra_for_users_is_explained() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) - {""} == set(stated) - {"dev", "all"}


def test_the_plain_install_is_complete_where_the_tests_run() -> None:
    assert listed()[""].lacks == [] and listed()[""].how == []


def test_what_is_missing_or_too_old_comes_with_the_install_line(installed: Callable[..., None]) -> None:
    installed(av=None, torch="2.7.1")
    found = listed()
    assert "torch 2.7.1 is too old (>=2.13)" in found["quantized"].lacks
    assert found["quantized"].how == ["pip install 'evalsuite[quantized]'"]
    assert "av is missing, for video files" in found["torch"].lacks
    assert not any(line.startswith("torch 2.7.1") for line in found["torch"].lacks)  # new enough for floats


@pytest.mark.parametrize("package", SERVES)
def test_partial_purposes_are_those_of_packages_that_an_extra_brings(package: str) -> None:
    assert any(package in {item.name for item in extra.packages} for extra in extras())


def test_a_checkout_that_is_not_installed_states_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    assert extras() == []
