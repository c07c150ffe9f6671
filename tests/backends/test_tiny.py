"""The tiny checkpoint: a valid PaliGemma folder, made the same way every time, kept safely in the cache."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from evalsuite.backends.tiny.checkpoint import cache_folder, tiny_checkpoint
from evalsuite.backends.tiny.tokenizer import IMAGE_TOKEN_ID, PIECES
from evalsuite.errors import UsageError


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path))
    return tmp_path / "models"


def test_the_same_arguments_give_the_same_bytes(empty_cache: Path) -> None:
    first = contents(tiny_checkpoint())
    shutil.rmtree(empty_cache)
    assert contents(tiny_checkpoint()) == first


def test_family_seed_and_resolution_each_give_another_model(empty_cache: Path) -> None:
    folders = {tiny_checkpoint(), tiny_checkpoint("paligemma"), tiny_checkpoint(seed=1), tiny_checkpoint(resolution=28)}
    assert len({(folder / "model.safetensors").read_bytes() for folder in folders}) == 4


def test_a_declared_sliding_window_leaves_the_weights_alone(empty_cache: Path) -> None:
    plain, windowed = tiny_checkpoint(), tiny_checkpoint(sliding_window=8)
    assert (plain / "model.safetensors").read_bytes() == (windowed / "model.safetensors").read_bytes()
    text = json.loads((windowed / "config.json").read_text())["text_config"]
    assert (text["sliding_window"], text["layer_types"]) == (8, ["sliding_attention", "full_attention"])


def test_a_second_call_builds_nothing(empty_cache: Path) -> None:
    folder = tiny_checkpoint()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert tiny_checkpoint() == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "digests.json"])
def test_a_damaged_file_is_repaired(empty_cache: Path, name: str) -> None:
    folder = tiny_checkpoint()
    good = contents(folder)
    (folder / name).write_bytes(good[name][: len(good[name]) // 2])
    assert contents(tiny_checkpoint()) == good


def test_a_missing_file_is_repaired(empty_cache: Path) -> None:
    folder = tiny_checkpoint()
    good = contents(folder)
    (folder / "model.safetensors").unlink()
    assert contents(tiny_checkpoint()) == good


def test_only_the_finished_model_stays_in_the_cache(empty_cache: Path) -> None:
    folder = tiny_checkpoint()
    (folder / "config.json").write_text("{}")
    tiny_checkpoint()
    assert list(empty_cache.iterdir()) == [folder]


def test_threads_that_build_at_once_all_get_a_whole_model(empty_cache: Path) -> None:
    seen: list[dict[str, bytes]] = []
    threads = [threading.Thread(target=lambda: seen.append(contents(tiny_checkpoint()))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 6
    assert all(model == seen[0] for model in seen)


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own" / "models"
    monkeypatch.delenv("EVALSUITE_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "evalsuite" / "models"


def test_building_needs_no_framework(tmp_path: Path) -> None:
    """Other engines use the tiny model too, without torch or transformers."""
    code = (
        "import sys; from evalsuite.backends.tiny.checkpoint import tiny_checkpoint; tiny_checkpoint(); "
        "print(sorted({'torch', 'transformers', 'tokenizers', 'jax'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"EVALSUITE_CACHE": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"


def test_the_tokenizer_is_laid_out_like_paligemmas(model_cache: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_checkpoint() / "tokenizer.json"))
    names = ["<pad>", "<eos>", "<bos>", "<loc0000>", "<loc1023>", "<seg000>", "<seg127>", "<image>"]
    first = len(PIECES)
    assert [tokenizer.token_to_id(name) for name in names] == [
        0, 1, 2, first, first + 1023, first + 1024, first + 1151, IMAGE_TOKEN_ID
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["two dogs", "  two  dogs ", "a\n\nb", "ÄÖ ไทย 🙂", "x<loc0012><seg003> y", "\t(50%)"])
def test_any_text_survives_the_tokenizer(text: str) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_checkpoint() / "tokenizer.json"))
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_the_newline_is_a_token_of_its_own() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_checkpoint() / "tokenizer.json"))
    assert tokenizer.encode("a dog\n\n").tokens[-2:] == ["\n", "\n"]


@pytest.mark.parametrize("family", ["paligemma", "paligemma2"])
def test_transformers_loads_it_like_any_checkpoint(family: str) -> None:
    transformers: Any = importlib.import_module("transformers")
    folder = tiny_checkpoint(family)
    model, report = transformers.AutoModelForImageTextToText.from_pretrained(
        folder, use_safetensors=True, output_loading_info=True
    )
    processor = transformers.AutoProcessor.from_pretrained(folder)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert type(processor).__name__ == "PaliGemmaProcessor"
    assert processor.image_seq_length == 16
    embedding = model.get_input_embeddings().weight
    assert 150_000 < sum(p.numel() for p in model.parameters()) - embedding.numel() < 300_000


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"family": "paligema"}, "paligemma"),
        ({"resolution": 60}, "60"),
        ({"resolution": 896}, "448"),
        ({"seed": -1}, "-1"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        tiny_checkpoint(**arguments)  # type: ignore[arg-type]
