"""``evalsuite bench``: what it prints, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--model", "tiny", "--repeats", "1", "--prompts", "4", "--option", "threads=1")


def test_json_has_every_case_the_machine_and_the_comparison(evalsuite: Call, tmp_path: Path) -> None:
    done = evalsuite(
        "bench", "--backend", "cpu", *QUICK, "--resolutions", "28,56", "--batch-sizes", "1,3",
        "--against", "torch", "--format", "json", EVALSUITE_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    cases = [(row["backend"], row["precision"], row["resolution"], row["batch_size"]) for row in found["measurements"]]
    assert cases == [
        (*side, resolution, batch_size)
        for resolution in (28, 56)
        for batch_size in (1, 3)
        for side in (("cpu", "int8"), ("torch", "float32"))
    ]
    for row in found["measurements"]:
        assert row["prefill_tokens"] == (row["resolution"] // 14) ** 2 + 4
        assert row["threads"] == 1 and row["peak_bytes"] > row["weight_bytes"] > 0
        assert row["image_encoder_seconds"] > 0
        assert row["extend_tokens_per_second"] == pytest.approx(11 * row["batch_size"] / row["extend_seconds"])
    first, second = found["measurements"][:2]
    assert first["weight_bytes"] < second["weight_bytes"] / 3
    assert [(row["resolution"], row["positions"]) for row in found["agreements"]] == [(28, 48), (56, 48)]
    assert all(0.5 < row["share"] <= 1 and row["distinct"] > 1 for row in found["agreements"])
    assert found["machine"]["cores"] >= 1 and found["versions"].keys() == {"openvino", "torch", "transformers"}


def test_float32_agrees_with_float32_everywhere(evalsuite: Call, tmp_path: Path) -> None:
    done = evalsuite(
        "bench", "--backend", "cpu", *QUICK, "--option", "precision=float32", "--against", "torch",
        "--format", "json", EVALSUITE_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert json.loads(done.stdout)["agreements"][0]["share"] == 1, done.stderr


@pytest.mark.parametrize(("form", "mark"), [("markdown", "## Speed of model tiny"), ("table", "Speed of model tiny")])
def test_tables_are_printed_or_written(evalsuite: Call, tmp_path: Path, form: str, mark: str) -> None:
    out = tmp_path / "speed.txt"
    done = evalsuite(
        "bench", "--backend", "cpu", *QUICK, "--format", form, "--out", out, EVALSUITE_CACHE=str(tmp_path / "cache")
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    text = out.read_text()
    assert text.startswith(mark) and "Extend, tokens/s" in text and "Machine: " in text
    assert "relative to" not in text


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("--backend", "echo"), 1, "backend 'echo' cannot be timed in parts"),
        (("--backend", "gpu"), 2, "unknown backend 'gpu'. Did you mean 'cpu'?"),
        (("--backend", "cpu", "--against", "echo"), 2, "--against echo: must be one of cpu, jax, torch"),
        (("--backend", "cpu", "--batch-sizes", "1,x"), 2, "--batch-sizes 1,x: must be whole numbers above 0"),
        (("--backend", "cpu", "--batch-sizes", ","), 2, "--batch-sizes ,: must be whole numbers above 0"),
        (("--backend", "cpu", "--resolutions", "57"), 1, "resolution 57 is not possible"),
        (("--backend", "cpu", "--model", "no/such/model/folder"), 1, "no such folder"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    evalsuite: Call, arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    done = evalsuite("bench", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert complaint in done.stderr and "Traceback" not in done.stderr
