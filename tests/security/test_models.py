"""Model folders from a stranger: safetensors only, no code of theirs, no file outside of the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints.resolve import Trust, check_model
from evalsuite.errors import BackendError


def folder(path: Path, config: object = None, **files: str) -> BackendOptions:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(
        config if isinstance(config, str) else json.dumps(config or {"model_type": "paligemma"})
    )
    for name, content in files.items():
        (path / name.replace("__", ".")).write_text(content)
    return BackendOptions(str(path), {}, {})


@pytest.mark.parametrize("name", ["pytorch_model__bin", "model__pt", "model__pth", "model__ckpt"])
def test_pickled_weights_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="can run code when read"):
        check_model(folder(tmp_path / "m", **{name: "x"}))


def test_trust_is_asked_for() -> None:
    assert Trust() == Trust(pickle_weights=False, remote_code=False)
    from evalsuite.backends.torch_hf.options import TorchOptions

    assert TorchOptions.read({}).trust == Trust()


@pytest.mark.parametrize("shard", ["../other.safetensors", "/etc/x.safetensors", "a/b.safetensors", "x.bin", "..", ""])
def test_an_index_names_safetensors_of_its_folder(shard: str, tmp_path: Path) -> None:
    (tmp_path / "other.safetensors").write_text("x")
    index = json.dumps({"weight_map": {"a": shard}})
    options = folder(tmp_path / "m", model__safetensors__index__json=index, **{"x__bin": "x"})
    with pytest.raises(BackendError, match="no safetensors file"):
        check_model(options)


@pytest.mark.parametrize(
    "config",
    ["[" * 100_000, "9" * 10_000, "[]", "null", "", '{"vision_config": 1, "text_config": []}', '{"model_type": {}}'],
)
def test_a_config_of_any_form_ends_in_our_error(config: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError):
        check_model(folder(tmp_path / "m", config))


@pytest.mark.parametrize("index", ["[" * 100_000, "[]", "{}", '{"weight_map": 1}', '{"weight_map": {"a": 1}}'])
def test_an_index_of_any_form_ends_in_our_error(index: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError):
        check_model(folder(tmp_path / "m", model__safetensors__index__json=index))


def test_code_of_a_model_is_neither_run_nor_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config that maps its classes to Python files beside it; the file would leave a mark."""
    pytest.importorskip("transformers")
    from evalsuite.backends.torch_hf import create

    auto = {"AutoConfig": "evil.C", "AutoModelForImageTextToText": "evil.M", "AutoProcessor": "evil.P"}
    mark = tmp_path / "owned"
    options = folder(
        tmp_path / "m",
        {"model_type": "evil", "auto_map": auto},
        evil__py=f"open({str(mark)!r}, 'w')\n",
        model__safetensors="x",
    )

    def ask(*_: object) -> str:
        raise AssertionError("the user was asked whether code may run")

    monkeypatch.setattr("builtins.input", ask)
    with pytest.raises(BackendError):
        create(options)
    assert not mark.exists()
