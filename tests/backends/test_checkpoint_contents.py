"""What the files of a checkpoint may hold: the same rule in every backend, before a model is loaded."""

from __future__ import annotations

import importlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from evalsuite.backends import check_backend, create_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints.contents import quantization_of
from evalsuite.errors import BackendError, EvalsuiteError, MissingDependency, UsageError

BACKENDS = ("torch", "jax", "cpu")
QUERY = "language_model.model.layers.0.self_attn.q_proj"
Weights = dict[str, Any]
Edited = Callable[..., Path]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def check(backend: str, model: Path, **options: str) -> None:
    check_backend(backend, BackendOptions(str(model), {}, options))


def described(backend: str, model: Path) -> Any:
    options = {"cpu": {"threads": "1"}, "jax": {"compilation_cache": "none"}, "torch": {"device": "cpu"}}[backend]
    loaded = create_backend(backend, BackendOptions(str(model), {}, options))
    loaded.close()
    return loaded.describe()


# --- adapters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [("adapter_config.json",), ("adapter_model.bin",), ("adapter_model.safetensors",)])
def test_a_whole_model_with_an_adapter_beside_it_is_refused(
    files: tuple[str, ...], backend: str, edited: Edited
) -> None:
    """Whether peft is installed or not: the adapter may be in the weights already."""
    model = edited()
    for name in files:
        (model / name).write_text("{}")
    with pytest.raises(BackendError, match=rf"a whole model and an adapter \({files[0]}\).*Move the adapter's files"):
        check(backend, model)
    (model / files[0]).unlink()
    check(backend, model)


def test_an_adapter_alone_is_no_model_with_or_without_a_config(backend: str, edited: Edited) -> None:
    model = edited()
    (model / "model.safetensors").rename(model / "adapter_model.safetensors")
    (model / "adapter_config.json").write_text("{}")
    for _ in range(2):
        with pytest.raises(BackendError, match="is an adapter, not a whole model"):
            check(backend, model)
        (model / "config.json").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "name",
    [
        f"{QUERY}.lora_A.weight",
        f"base_model.model.{QUERY}.lora_B.default.weight",
        f"{QUERY}.base_layer.weight",
        f"{QUERY}.lora_magnitude_vector.weight",
        "language_model.model.layers.0.mlp.ia3_l",
        "language_model.model.embed_tokens.modules_to_save.default.weight",
    ],
)
@pytest.mark.parametrize("file", ["model.safetensors", "lora.safetensors"])
def test_tensors_of_an_adapter_are_refused_wherever_they_lie(
    file: str, name: str, backend: str, edited: Edited
) -> None:
    """They are another model than the base weights, which would answer without a word."""
    tensor = {name: np.zeros((2, 2), np.float32)}
    if file == "model.safetensors":
        model = edited(lambda weights: weights.update(tensor))
    else:
        model = edited()
        save_file(tensor, model / file)
    with pytest.raises(BackendError, match=r"of an adapter beside the weights\. Merge it into them"):
        check(backend, model)


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.bool_])
def test_weights_of_another_type_are_refused_by_name(kind: Any, backend: str, edited: Edited) -> None:
    """As plain numbers they would give 0.00 and exit status 0."""
    model = edited(lambda weights: weights.update({f"{QUERY}.weight": weights[f"{QUERY}.weight"].astype(kind)}))
    header = {"int8": "I8", "uint8": "U8", "int32": "I32", "bool": "BOOL"}[np.dtype(kind).name]
    with pytest.raises(
        BackendError, match=rf"1 weight \({QUERY}\.weight\) of type {header}, and config\.json names no"
    ):
        check(backend, model)


def test_weights_in_eight_bit_floats_are_refused_by_name(backend: str, edited: Edited) -> None:
    """numpy has no such type: the header alone is changed."""
    model = edited()
    tensor = {f"{QUERY}.weight": {"dtype": "F8_E4M3", "shape": [64, 64], "data_offsets": [0, 4096]}}
    rest = load_file(model / "model.safetensors")
    del rest[f"{QUERY}.weight"]
    write_shards(model, rest, tensor, bytes(4096))
    with pytest.raises(BackendError, match="of type F8_E4M3"):
        check(backend, model)


def write_shards(model: Path, weights: Weights, header: dict[str, Any], data: bytes) -> None:
    """Two files: ``weights``, and one by its header."""
    (model / "model.safetensors").unlink()
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    save_file(weights, model / first, metadata={"format": "pt"})
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    (model / second).write_bytes(len(text).to_bytes(8, "little") + text + data)
    places = {**dict.fromkeys(weights, first), **dict.fromkeys(header, second)}
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


BITSANDBYTES = {"quant_method": "bitsandbytes", "load_in_8bit": True}


@pytest.mark.parametrize("part", ["", "text_config"])
@pytest.mark.parametrize("backend", ["jax", "cpu"])
def test_a_quantized_checkpoint_is_refused_by_the_name_of_its_method(part: str, backend: str, edited: Edited) -> None:
    def quantized(config: dict[str, Any]) -> None:
        (config[part] if part else config)["quantization_config"] = BITSANDBYTES

    with pytest.raises(BackendError, match=r"quantized by bitsandbytes \(config\.json\), which this backend does not"):
        check(backend, edited(config=quantized))


def test_torch_reads_what_transformers_reads_and_names_the_package_that_lacks(
    edited: Edited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers would skip a method that it does not know, with a warning."""

    def quantized(method: str) -> Path:
        return edited(config=lambda config: config.update(quantization_config={"quant_method": method}))

    with pytest.raises(BackendError, match=r"quantized by squeeze \(config\.json\).*It reads .*bitsandbytes"):
        check("torch", quantized("squeeze"))
    check("torch", quantized("bitsandbytes"))
    with pytest.raises(UsageError, match="quantized already, by bitsandbytes"):
        check("torch", quantized("bitsandbytes"), quantization="int8")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else found(name))
    with pytest.raises(MissingDependency, match=r"quantized by bitsandbytes needs 'bitsandbytes'.*pip install"):
        check("torch", quantized("bitsandbytes"))


@pytest.mark.parametrize("entry", [{"bits": 4}, [1], "int8", {"quant_method": 3}])
def test_a_quantization_that_names_no_method_is_refused(entry: Any, backend: str, edited: Edited) -> None:
    with pytest.raises(BackendError, match=r"quantization_config in config\.json names no quant_method"):
        check(backend, edited(config=lambda config: config.update(quantization_config=entry)))
    assert quantization_of("m", {"quantization_config": None}) is None


@pytest.fixture(scope="module")
def eight_bits(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """The tiny checkpoint as bitsandbytes saves it, in 8 bits."""
    import torch

    from evalsuite.backends.tiny.checkpoint import tiny_checkpoint

    hub: Any = importlib.import_module("transformers")
    folder = tmp_path_factory.mktemp("bits") / "model"
    shutil.copytree(tiny_checkpoint(), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    quantization = hub.BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=["lm_head"])
    hub.AutoModelForImageTextToText.from_pretrained(
        tiny_checkpoint(), quantization_config=quantization, dtype=torch.float32, device_map={"": "cpu"}
    ).save_pretrained(folder)
    return folder


def test_a_checkpoint_in_eight_bits_runs_in_torch_and_nowhere_else(eight_bits: Path, tmp_path: Path) -> None:
    for backend in ("jax", "cpu"):
        with pytest.raises(BackendError, match="quantized by bitsandbytes"):
            check(backend, eight_bits)
    facts = described("torch", eight_bits)
    assert facts["quantization"] == "bitsandbytes" and "notes" not in facts
    stripped = Path(shutil.copytree(eight_bits, tmp_path / "stripped"))
    config = json.loads((stripped / "config.json").read_text())
    del config["quantization_config"]
    (stripped / "config.json").write_text(json.dumps(config))
    for backend in BACKENDS:
        with pytest.raises(BackendError, match="of type I8"):
            check(backend, stripped)


# --- what nothing uses -----------------------------------------------------------------------------------------------


def test_tensors_and_files_that_no_part_of_the_model_uses_are_named(backend: str, edited: Edited) -> None:
    """Layers beyond the config's last are among them: the file is of a deeper model."""

    def more(weights: Weights) -> None:
        weights["vision_tower.vision_model.head.probe"] = np.zeros((1, 1, 64), np.float32)
        weights["language_model.model.layers.2.mlp.up_proj.weight"] = np.zeros((128, 64), np.float32)
        weights["language_model.model.layers.0.self_attn.rotary_emb.inv_freq"] = np.zeros(8, np.float32)  # no weights

    model = edited(more)
    save_file({"norm.weight": np.zeros(3, np.float32)}, model / "consolidated.safetensors")
    note, other = described(backend, model)["notes"]
    assert "no part of the model uses 2 tensors (" in note and "inv_freq" not in note
    assert "vision_tower.vision_model.head.probe" in note
    assert "language_model.model.layers.2.mlp.up_proj.weight" in note
    assert other.endswith("these files beside the weights are not read: consolidated.safetensors")


def test_one_tensor_under_two_names_is_refused(backend: str, edited: Edited) -> None:
    def twice(weights: Weights) -> None:
        weights["model.language_model.norm.weight"] = weights["language_model.model.norm.weight"] + 1

    with pytest.raises(BackendError, match=r"hold one tensor twice, as .*norm\.weight in model\.safetensors"):
        check(backend, edited(twice))


def test_biases_in_attention_run_in_torch_alone(edited: Edited) -> None:
    def biased(weights: Weights) -> None:
        for layer in range(2):
            for kind, size in (("q", 64), ("k", 32), ("v", 32), ("o", 64)):
                name = f"language_model.model.layers.{layer}.self_attn.{kind}_proj.bias"
                weights[name] = np.full(size, 0.1, np.float32)

    model = edited(biased, config=lambda config: config["text_config"].update(attention_bias=True))
    assert "notes" not in described("torch", model)
    for backend in ("jax", "cpu"):
        with pytest.raises(BackendError, match=r"text_config\.attention_bias is"):
            check(backend, model)


@pytest.mark.parametrize(
    "content",
    [b"", b"not safetensors at all", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0[]", b"\x09\0\0\0\0\0\0\0" + b'{"a": {}}'],
)
def test_a_damaged_file_is_named(content: bytes, backend: str, edited: Edited) -> None:
    model = edited()
    (model / "model.safetensors").write_bytes(content)
    with pytest.raises(EvalsuiteError, match=r"weights cannot be read: model\.safetensors is damaged"):
        check(backend, model)


def test_a_file_that_was_cut_off_is_named(backend: str, edited: Edited) -> None:
    model = edited()
    data = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(data[:-100])
    with pytest.raises(BackendError, match=r"model\.safetensors is damaged \(it ends before .* does\)"):
        check(backend, model)


# --- big_vision ------------------------------------------------------------------------------------------------------

Arrays = dict[str, Any]


@pytest.fixture
def npz(
    big_vision_arrays: Callable[[str], Arrays], write_npz: Callable[..., Path], tmp_path: Path
) -> Callable[[Arrays], Path]:
    """A .npz file with these arrays besides, or in place of, those of the model."""
    return lambda more: write_npz(tmp_path / "model.npz", {**big_vision_arrays("paligemma2"), **more})


def npz_options(path: Path) -> BackendOptions:
    from evalsuite.backends.tiny.checkpoint import tiny_checkpoint

    return BackendOptions(str(path), {}, {"tokenizer": str(tiny_checkpoint()), "compilation_cache": "none"})


def test_arrays_of_another_type_or_of_an_adapter_are_refused_in_npz_files(
    npz: Callable[[Arrays], Path], tmp_path: Path
) -> None:
    name = "params/img/head/bias"
    with np.load(npz({})) as arrays:
        np.savez(tmp_path / "bits.npz", **{**arrays, name: np.zeros(64, np.int8)})
    with pytest.raises(BackendError, match=rf"array {name} is of type int8"):
        check_backend("jax", npz_options(tmp_path / "bits.npz"))
    with pytest.raises(BackendError, match="of an adapter beside the weights"):
        check_backend("jax", npz_options(npz({"params/llm/layers/attn/q_einsum/lora_a": np.zeros((2, 2), np.float32)})))


def test_arrays_that_no_part_of_the_model_uses_are_named_in_npz_files(npz: Callable[[Arrays], Path]) -> None:
    path = npz({"opt/0/mu/img/head/bias": np.zeros(64, np.float32), "params/llm/lm_head/w": np.zeros(3, np.float32)})
    loaded = create_backend("jax", npz_options(path))
    (note,) = loaded.describe()["notes"]  # type: ignore[misc]
    assert "uses 2 tensors (opt/0/mu/img/head/bias, params/llm/lm_head/w)" in str(note)
