"""What a backend declares is what its check refuses by."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.backends import BACKENDS, backend_module, check_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.installed import requirements
from evalsuite.backends.needs import Needs, Packages, Program
from evalsuite.errors import BackendError, MissingDependency

NEEDS: dict[str, Needs] = {name: backend_module(name).NEEDS for name in BACKENDS}
DECLARED = [(name, package) for name, needs in NEEDS.items() if needs.packages for package in needs.packages.names]


def options(**given: str) -> BackendOptions:
    return BackendOptions("tiny", {}, given)


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a package look as if it were not installed."""

    def call(package: str) -> None:
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == package else find(name, *a))

    return call


def every_group() -> list[Packages]:
    groups = [needs.packages for needs in NEEDS.values() if needs.packages]
    return [*groups, *(packages for needs in NEEDS.values() for packages in needs.options.values())]


@pytest.mark.parametrize("group", every_group(), ids=lambda group: group.extra)
def test_the_extra_brings_every_package_that_is_declared(group: Packages) -> None:
    assert set(group.names) <= set(requirements(group.extra))


@pytest.mark.parametrize(("backend", "package"), DECLARED)
def test_check_refuses_a_run_without_a_declared_package(
    backend: str, package: str, hide: Callable[[str], None]
) -> None:
    hide(package)
    with pytest.raises(MissingDependency, match=rf"needs '{package}'.*pip install 'evalsuite\[{backend}\]'"):
        check_backend(backend, options())


@pytest.mark.parametrize("backend", sorted({name for name, _ in DECLARED}))
def test_check_refuses_a_package_that_is_too_old(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "4.57.6" if name == "transformers" else version(name)
    )
    with pytest.raises(MissingDependency, match=r"found transformers 4\.57\.6\) needs 'transformers>=5\.20'"):
        check_backend(backend, options())


@pytest.mark.parametrize("option", NEEDS["torch"].options)
def test_check_refuses_an_option_whose_package_is_missing(option: str, hide: Callable[[str], None]) -> None:
    hide("accelerate")
    hide("bitsandbytes")
    name, value = option.split("=")
    with pytest.raises(MissingDependency, match=rf"option {option} needs .*evalsuite\[quantized\]"):
        check_backend("torch", options(**{name: value}))
    check_backend("torch", options())


def test_a_program_is_found_on_the_path_or_where_the_option_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program("gemma", option="binary", source="build it")
    built = tmp_path / "gemma"
    built.write_text("#!/bin/sh\n")
    built.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    assert program.find() is None and program.find(str(built)) == str(built)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program.find() == str(built)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("import a_package_that_is_not_there", "cannot be loaded: ModuleNotFoundError.*a_package_that_is_not_there"),
        ("raise SystemExit(3)", "cannot be loaded: SystemExit"),
        ("", r"slow_backend has no function create\(options\)"),
    ],
)
def test_a_plug_in_that_cannot_be_loaded_is_named_with_its_package(
    plug_in: Path, monkeypatch: pytest.MonkeyPatch, source: str, complaint: str
) -> None:
    (plug_in / "slow_backend.py").write_text(source)
    monkeypatch.syspath_prepend(plug_in)
    monkeypatch.delitem(sys.modules, "slow_backend", raising=False)
    with pytest.raises(BackendError, match=f"backend 'slow' of package slow-backend.*{complaint}"):
        check_backend("slow", options())
