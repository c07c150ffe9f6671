"""GPUs are those that their driver names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.doctor.machine import machine


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A machine on which ``nvidia-smi`` is this shell script, and nothing else is on the PATH."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def call(script: str) -> None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)

    return call


def test_without_the_driver_there_is_none_and_the_reason_is_given(driver: Callable[[str], None]) -> None:
    found = machine()
    assert (found["gpus"], found["notes"]) == ([], ["the program nvidia-smi is not here"])


def test_each_gpu_is_named(driver: Callable[[str], None], installed: Callable[..., None]) -> None:
    installed(torch="2.13.0", jax=None)
    driver("echo 'NVIDIA H200, 143771 MiB'; echo 'NVIDIA H200, 143771 MiB'")
    found = machine()
    assert found["gpus"] == ["NVIDIA H200, 143771 MiB"] * 2 and found["notes"] == []


def test_a_driver_that_fails_is_quoted(driver: Callable[[str], None]) -> None:
    driver("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")
    found = machine()
    assert found["gpus"] == [] and "Driver/library version mismatch" in found["notes"][0]


def test_frameworks_that_cannot_use_a_gpu_are_named(
    driver: Callable[[str], None], installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(torch="2.13.0+cpu", jax="0.10.2")
    monkeypatch.setattr("importlib.metadata.distributions", lambda: [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    driver("echo 'NVIDIA H200, 143771 MiB'")
    visible, torch, jax = machine()["notes"]
    assert visible == "CUDA_VISIBLE_DEVICES='' says which of them programs see"
    assert "torch 2.13.0+cpu is built for CPUs" in torch and "pip install 'jax[cuda12]'" in jax
