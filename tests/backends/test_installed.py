"""Packages as pip knows them, against the versions that evalsuite's metadata want."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

from evalsuite.backends.installed import Package, look, requirements


@pytest.mark.parametrize(
    ("version", "wanted", "problem"),
    [
        ("5.20.0", ">=5.20", ""),
        ("5.20rc1", ">=5.20", "x 5.20rc1 is too old (>=5.20)"),
        ("5.21.dev0", ">=5.20", ""),
        ("2.13.0+cpu", ">=2.6", ""),
        ("2.9", ">=2.13", "x 2.9 is too old (>=2.13)"),
        ("3.0", "<3,>=2", "x 3.0 does not fit (<3,>=2)"),
        ("built by hand", ">=2", ""),
        ("", ">=2", ""),
        (None, "", "x is missing"),
    ],
)
def test_a_version_is_compared_as_pip_would(version: str | None, wanted: str, problem: str) -> None:
    assert Package("x", version, wanted).problem == problem


def test_requirements_are_told_by_extra() -> None:
    assert requirements()["numpy"] == ">=1.26"
    assert "torch" not in requirements() and "numpy" not in requirements("torch")
    assert requirements("torch")["transformers"] == ">=5.20"


def test_the_extra_that_names_other_extras_adds_no_package_of_its_own() -> None:
    assert requirements("all") == {}


def test_what_is_not_installed_wants_nothing() -> None:
    assert requirements(distribution="no-such-distribution") == {}


def test_a_line_that_is_no_requirement_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["numpy >= one", "scipy>=1.0"])
    assert requirements(distribution="theirs") == {"scipy": ">=1.0"}


def test_what_pip_lists_but_python_cannot_find_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look("numpy", module="numpy").version == importlib.metadata.version("numpy")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert look("numpy", module="numpy").version is None


def test_a_module_that_pip_does_not_know_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "built_by_hand.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert look("built_by_hand", ">=2", module="built_by_hand").problem == ""
