"""The cpu backend's cache of prepared models, and what it refuses."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path

import pytest

from evalsuite.backends import check_backend, create_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.tiny.checkpoint import cache_folder, tiny_checkpoint
from evalsuite.errors import BackendError, EvalsuiteError, MissingDependency, UsageError


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_cache: Path) -> Path:
    """An empty cache; the checkpoint comes from the shared one."""
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def options(model: str | Path = "tiny", **values: str) -> BackendOptions:
    return BackendOptions(str(model), {}, {"threads": "1", **values})


def prepared() -> list[Path]:
    return sorted(cache_folder().glob("openvino-*"))


def test_a_model_is_prepared_once_for_each_precision(own_cache: Path) -> None:
    create_backend("cpu", options())
    (folder,) = prepared()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    create_backend("cpu", options())
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    create_backend("cpu", options(precision="int4"))
    assert len(prepared()) == 2


def test_other_weights_are_prepared_anew(own_cache: Path, tmp_path: Path) -> None:
    create_backend("cpu", options())
    create_backend("cpu", BackendOptions("tiny", {"seed": 1}, {"threads": "1"}))
    assert len(prepared()) == 2


@pytest.mark.parametrize("name", ["language_model.bin", "embeddings.npy", "fingerprints.json", "image_encoder.xml"])
def test_a_damaged_file_is_made_again(own_cache: Path, name: str) -> None:
    create_backend("cpu", options())
    (folder,) = prepared()
    good = {path.name: path.read_bytes() for path in folder.iterdir()}
    os.truncate(folder / name, len(good[name]) // 2)
    create_backend("cpu", options())
    assert prepared() == [folder]
    assert (folder / name).stat().st_size == len(good[name])


def test_a_failed_preparation_leaves_nothing_behind(own_cache: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint(), tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["intermediate_size"] = 96
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match=r"mlp\.gate_proj\.weight has shape \(128, 64\), .* \(96, 64\)"):
        create_backend("cpu", options(folder))
    assert prepared() == []


def test_a_cut_weight_file_is_named(own_cache: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint(), tmp_path / "model"))
    os.truncate(folder / "model.safetensors", 50_000)
    with pytest.raises(BackendError, match=r"model\.safetensors is damaged"):
        create_backend("cpu", options(folder))


def test_a_missing_tensor_is_named(own_cache: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = Path(shutil.copytree(tiny_checkpoint(), tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    del weights["language_model.model.norm.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(BackendError, match=r"the weights lack language_model\.norm\.weight"):
        create_backend("cpu", options(folder))


def test_another_architecture_is_sent_to_torchao(own_cache: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint(), tmp_path / "model"))
    (folder / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(BackendError, match=r"of type llava.*--backend torch --option quantization=int8"):
        check_backend("cpu", options(folder))


def test_a_wrong_path_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(BackendError, match="no such folder"):
        check_backend("cpu", options("no/such/folder/here"))


@pytest.mark.parametrize("package", ["openvino", "transformers"])
def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == package else found(name, *a))
    with pytest.raises(MissingDependency, match=rf"needs '{package}'.*evalsuite\[cpu\]"):
        check_backend("cpu", options())


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"precision": "int9"}, r"option precision='int9' is not valid. Did you mean 'int8'"),
        ({"precison": "int8"}, r"unknown option of backend cpu: 'precison'. Did you mean 'precision'"),
        ({"precision": "bf16", "activations": "float32"}, "precision=bf16 is computed in bf16"),
        ({"precision": "float32", "activations": "int8"}, "activations=int8 needs quantized weights"),
        ({"batch_size": "0"}, "The least is 1"),
    ],
)
def test_wrong_options_are_refused(values: dict[str, str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        check_backend("cpu", options(**values))


def test_a_closed_backend_says_so(own_cache: Path) -> None:
    backend = create_backend("cpu", options())
    backend.close()
    with pytest.raises(EvalsuiteError, match="the backend is closed"):
        _ = backend.model  # type: ignore[attr-defined]
