"""Which model it is: every byte of every file that can change an answer, read once as long as nothing changes."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalsuite.backends import identify_answers, identify_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints import fingerprints
from evalsuite.backends.checkpoints.fingerprints import checkpoint_files, digest, fingerprint
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.errors import BackendError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(tiny_checkpoint(), tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A file that was written long enough ago for its digest to be kept."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(100_000))
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the files that are really read."""
    read: list[str] = []
    real = Path.open

    def noted(self: Path, mode: str = "r", *more: object, **settings: object) -> object:
        if mode == "rb":
            read.append(self.name)
        return real(self, mode, *more, **settings)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", noted)
    yield read


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99999])
def test_one_byte_anywhere_counts(share: float, copy: Path) -> None:
    first = fingerprint(copy)
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[int(share * len(data))] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert fingerprint(copy) != first


def test_a_file_that_did_not_change_is_read_once(
    old_file: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "SETTLED_NS", -(10**12))
    first = digest(old_file)
    assert digest(old_file) == first and reads == ["model.safetensors"]


def test_times_set_back_hide_nothing(old_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``rsync --times`` and ``os.utime`` give new bytes the old time; the inode's own time cannot be set."""
    monkeypatch.setattr(fingerprints, "SETTLED_NS", -(10**12))
    first, before = digest(old_file), old_file.stat()
    with old_file.open("r+b") as file:
        file.write(b"\1")
    os.utime(old_file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest(old_file) != first


def test_a_file_written_just_now_is_read_again(old_file: Path, reads: list[str]) -> None:
    """Two writes within one tick of the clock leave the same time behind."""
    digest(old_file)
    digest(old_file)
    assert reads == ["model.safetensors"] * 2


def test_a_damaged_note_costs_time_and_nothing_else(
    old_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fingerprints, "SETTLED_NS", -(10**12))
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    first = digest(old_file)
    (note,) = (tmp_path / "cache" / "models" / "fingerprints").iterdir()
    for damage in ("", "[]", '{"state": [1]}', json.dumps({"state": "x", "sha256": "y"})):
        note.write_text(damage)
        assert digest(old_file) == first


def test_a_file_that_changes_while_it_is_read_is_refused(old_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fingerprints.hashlib.file_digest

    def slowly(file: object, name: str) -> object:
        found = real(file, name)  # type: ignore[type-var]
        time.sleep(0.01)
        old_file.write_bytes(bytes(100_001))
        return found

    monkeypatch.setattr(fingerprints.hashlib, "file_digest", slowly)
    with pytest.raises(BackendError, match="changed while it was read"):
        digest(old_file)


@pytest.mark.parametrize(
    "name",
    [
        *("config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json"),
        *("preprocessor_config.json", "processor_config.json", "chat_template.jinja", "chat_template.json"),
        *("adapter_config.json", "adapter_model.safetensors", "special_tokens_map.json", "added_tokens.json"),
        *("model.safetensors.index.json", "quantization_config.json", "video_preprocessor_config.json", "vocab.json"),
    ],
)
def test_every_file_that_decides_an_answer_counts(name: str, copy: Path) -> None:
    before = fingerprint(copy)
    path = copy / name
    path.write_text((path.read_text() if path.exists() else "") + " ")
    assert fingerprint(copy) != before


@pytest.mark.parametrize(
    "name", ["trainer_state.json", "optimizer.pt", "rng_state_0.pth", "training_args.bin", "README.md", "results.json"]
)
def test_what_a_trainer_leaves_beside_them_does_not(name: str, copy: Path) -> None:
    before = fingerprint(copy)
    (copy / name).write_bytes(b"step 200")
    assert fingerprint(copy) == before


def test_pickles_count_only_where_they_are_read(copy: Path) -> None:
    (copy / "pytorch_model.bin").write_bytes(b"old")
    assert "pytorch_model.bin" not in checkpoint_files(copy, pickles=True)
    (copy / "model.safetensors").unlink()
    assert "pytorch_model.bin" in checkpoint_files(copy, pickles=True)
    assert "pytorch_model.bin" not in checkpoint_files(copy)


@pytest.mark.parametrize("backend", ["torch", "jax", "cpu"])
def test_backends_of_one_checkpoint_agree_on_it(backend: str, copy: Path) -> None:
    options = BackendOptions(str(copy), {}, {})
    facts = identify_backend(backend, options)
    assert facts["weights model.safetensors"] and facts["tokenizer tokenizer.json"] and facts["config config.json"]
    assert facts == identify_backend("torch", options)


def test_random_models_are_what_they_are_made_from() -> None:
    seeds = [identify_backend("torch", BackendOptions("tiny", {"seed": seed}, {})) for seed in (0, 1)]
    assert seeds[0] != seeds[1]


def test_a_tokenizer_beside_the_weights_counts(copy: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.model"
    own.write_bytes(b"1")
    options = BackendOptions(str(copy), {}, {"tokenizer": str(own)})
    before = identify_backend("jax", options)
    own.write_bytes(b"2")
    assert identify_backend("jax", options) != before


def test_each_split_has_its_own_file_of_predictions(tmp_path: Path) -> None:
    (tmp_path / "a-val.json").write_text('{"1": "x"}')
    options = BackendOptions(None, {}, {"predictions": str(tmp_path / "{task}-{split}.json")})
    before = identify_answers("replay", options, "a", "val")
    assert len(before) == 1 and identify_answers("replay", options, "a", "test") == {}
    (tmp_path / "a-val.json").write_text('{"1": "y"}')
    assert identify_answers("replay", options, "a", "val") != before


class TestHub:
    """A model on the hub is its commit; its files may not be here yet."""

    def test_a_commit_that_was_asked_for_is_known_at_once(self) -> None:
        commit = "0123456789abcdef0123456789abcdef01234567"
        assert identify_backend("torch", BackendOptions(f"a/b@{commit}", {}, {})) == {"hub commit": commit}

    def test_the_hub_is_asked_for_the_commit_of_a_branch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import huggingface_hub

        class Api:
            def model_info(self, repository: str, revision: str | None, timeout: float) -> object:
                return type("Info", (), {"sha": f"{repository}:{revision}"})()

        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
        monkeypatch.setattr(huggingface_hub, "HfApi", Api)
        assert identify_backend("torch", BackendOptions("a/b@dev", {}, {})) == {"hub commit": "a/b:dev"}

    def test_offline_the_local_copy_says_it(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "models--a--b" / "refs").mkdir(parents=True)
        (tmp_path / "models--a--b" / "refs" / "main").write_text("f00d")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        assert identify_backend("torch", BackendOptions("a/b", {}, {})) == {"hub commit": "f00d"}
        assert identify_backend("torch", BackendOptions("a/c", {}, {})) == {}
