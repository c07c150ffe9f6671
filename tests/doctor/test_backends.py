"""Every backend is listed, with what it lacks and the way out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.backends import BACKENDS
from evalsuite.doctor.backends import backends
from evalsuite.doctor.findings import Finding

FRAMEWORKS = ("torch", "jax", "openvino", "transformers", "tokenizers", "safetensors")
QUANTIZERS = ("torchao", "bitsandbytes", "accelerate")


@pytest.fixture
def complete(installed: Callable[..., None]) -> Callable[..., None]:
    """``complete(openvino=None)``: every package of every backend is here and new, except as given."""

    def call(**versions: str | None) -> None:
        installed(**{**dict.fromkeys((*FRAMEWORKS, *QUANTIZERS), "9999"), **versions})

    return call


def listed() -> dict[str, Finding]:
    return {finding.name: finding for finding in backends()}


@pytest.fixture
def install(plug_in: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install the package ``slow-backend`` with this source, and these lines in its metadata."""

    def call(source: str, *metadata: str) -> None:
        (plug_in / "slow_backend.py").write_text(source)
        lines = ["Metadata-Version: 2.1", "Name: slow-backend", "Version: 1.0", *metadata, ""]
        (plug_in / "slow_backend-1.0.dist-info" / "METADATA").write_text("\n".join(lines))
        monkeypatch.delitem(sys.modules, "slow_backend", raising=False)
        monkeypatch.syspath_prepend(plug_in)

    return call


def test_every_backend_that_ships_is_listed() -> None:
    assert listed().keys() >= BACKENDS.keys()


@pytest.mark.parametrize("name", ["cpu", "jax", "torch"])
def test_a_package_that_is_too_old_is_named_with_both_versions(name: str, complete: Callable[..., None]) -> None:
    complete(transformers="4.57.6")
    found = listed()[name]
    assert found.can_run is False and found.lacks == ("transformers 4.57.6 is too old (>=5.20)",)
    assert found.how == (f"pip install 'evalsuite[{name}]'",)


def test_only_the_backend_that_wants_a_missing_package_is_blocked(complete: Callable[..., None]) -> None:
    complete(openvino=None)
    found = listed()
    assert found["cpu"] == Finding("cpu", False, ("openvino is missing",), ("pip install 'evalsuite[cpu]'",))
    assert "openvino" not in str([finding for name, finding in found.items() if name != "cpu"])


def test_what_only_an_option_wants_blocks_that_option_alone(complete: Callable[..., None]) -> None:
    complete(bitsandbytes=None)
    found = listed()["torch"]
    assert (found.can_run, found.lacks) == (True, ("bitsandbytes is missing: for --option quantization=int4",))
    assert found.how == ("pip install 'evalsuite[quantized]'",)


def test_quantizing_wants_a_newer_torch_than_running_does(complete: Callable[..., None]) -> None:
    complete(torch="2.7.1")
    found = listed()["torch"]
    assert found.can_run is True and "torch 2.7.1 is too old (>=2.13): for --option quantization=int8" in found.lacks


def test_a_program_that_the_user_builds_is_not_known_unless_it_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = listed()["gemma_cpp"]
    assert found.can_run is None and "no program gemma on the PATH" in found.lacks[0]
    assert "--option binary=PATH/TO/gemma" in found.how[0] and found.how[1] == "give --model WEIGHTS.sbs"
    (tmp_path / "gemma").write_text("#!/bin/sh\n")
    (tmp_path / "gemma").chmod(0o755)
    found = listed()["gemma_cpp"]
    assert (found.can_run, found.lacks, found.how) == (True, (), ("give --model WEIGHTS.sbs",))


@pytest.mark.parametrize(("name", "given"), [("server", "--option url="), ("replay", "--predictions FILE")])
def test_a_backend_that_runs_everywhere_says_what_to_give(name: str, given: str) -> None:
    found = listed()[name]
    assert found.can_run is True and found.lacks == () and given in found.how[0]


def test_a_plug_in_is_listed_with_its_package(install: Callable[..., None]) -> None:
    install("def create(options): ...")
    assert listed()["slow"] == Finding("slow", True, (), (), "slow-backend")


def test_a_plug_in_that_cannot_be_loaded_is_named_and_costs_no_other(install: Callable[..., None]) -> None:
    install("import a_package_that_is_not_there")
    found = listed()
    assert found.keys() >= BACKENDS.keys()
    assert found["slow"].can_run is False and found["slow"].package == "slow-backend"
    assert "a_package_that_is_not_there" in found["slow"].lacks[0]
    assert "pip uninstall slow-backend" in found["slow"].how[0]


def test_a_plug_in_whose_own_requirements_are_missing_is_not_even_loaded(install: Callable[..., None]) -> None:
    install("raise AssertionError", "Requires-Dist: no-such-package>=2", "Requires-Dist: numpy>=999")
    found = listed()["slow"]
    assert found.lacks[0] == "no-such-package is missing" and "is too old (>=999)" in found.lacks[1]
    assert found.how == ("pip install --upgrade slow-backend",)


def test_a_plug_in_may_declare_its_needs_as_ours_do(install: Callable[..., None]) -> None:
    install(
        "from evalsuite.backends.needs import Needs, Packages\n"
        "NEEDS = Needs(Packages('gpu', ('no_such_package',), distribution='slow-backend'), given=('--model NAME',))\n"
        "def create(options): ...\n"
    )
    found = listed()["slow"]
    assert (found.can_run, found.lacks) == (False, ("no_such_package is missing",))
    assert found.how == ("pip install 'slow-backend[gpu]'", "give --model NAME")


def test_what_a_plug_in_prints_goes_to_standard_error(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("print('hello')\ndef create(options): ...")
    backends()
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


def test_looking_imports_no_framework() -> None:
    code = (
        "import sys; from evalsuite.doctor.examination import examine; examine(); "
        "print(sorted({'torch', 'jax', 'openvino', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
