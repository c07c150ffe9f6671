"""The gate on trained weights: it passes what changes nothing, and stops a harness that feeds the model wrongly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite import api
from evalsuite.backends.checkpoints import prompt
from evalsuite.backends.miniature import miniature_checkpoint
from evalsuite.comparison.gate import PASS, REGRESSION, overall

TASKS = "vqav2,pope,xgqa,nlvr2,textvqa"


def run(out: Path, model: str = "miniature", **changes: Any) -> Path:
    settings: dict[str, Any] = {"options": {"threads": 1}, **changes}
    assert api.run(TASKS, model=model, out=out, data_scale=2, **settings).ok
    return out


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("baseline")
    api.write_baseline(run(folder / "run"), folder / "baseline.json")
    return folder / "baseline.json"


def verdict(out: Path, baseline: Path) -> str:
    return overall(api.gate(out, baseline))


def test_the_same_model_in_other_batches_passes(baseline: Path, tmp_path: Path) -> None:
    assert verdict(run(tmp_path / "run", options={"threads": 1, "batch_size": 3}), baseline) == PASS


def test_a_prompt_without_its_newline_is_a_regression(
    baseline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "SEPARATOR", "")
    assert verdict(run(tmp_path / "run"), baseline) == REGRESSION


def test_images_cut_instead_of_resized_are_a_regression(
    baseline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(image: Any, height: int, width: int, *, antialias: bool) -> Any:
        return np.asarray(image.crop((0, 0, width, height)), np.float32)

    monkeypatch.setattr("evalsuite.media.preparation.resize", cut)
    assert verdict(run(tmp_path / "run"), baseline) == REGRESSION


def test_a_tokenizer_with_shifted_words_is_a_regression(baseline: Path, tmp_path: Path) -> None:
    """As when a word list lost its first entry: every word has the id of its neighbour."""
    broken = tmp_path / "model"
    shutil.copytree(miniature_checkpoint({}), broken)
    file = broken / "tokenizer.json"
    document = json.loads(file.read_text("utf-8"))
    pieces = document["model"]["vocab"]
    first = next(place for place, (piece, _) in enumerate(pieces) if len(piece) > 1 and place > 300)
    pieces[first:] = [*pieces[first + 1 :], pieces[first]]
    file.write_text(json.dumps(document), "utf-8")
    assert verdict(run(tmp_path / "run", model=str(broken)), baseline) == REGRESSION
