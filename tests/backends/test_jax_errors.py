"""What the jax backend refuses, when, and in which words; and what it says of itself."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.backends import jax_paligemma
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints.fingerprints import digest, fingerprint
from evalsuite.backends.checkpoints.resolve import Checkpoint
from evalsuite.backends.jax_paligemma.architecture import as_config, from_config
from evalsuite.backends.jax_paligemma.checkpoint import JaxCheckpoint
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.errors import BackendError, BackendOutOfMemory, MissingDependency, UsageError
from evalsuite.types import Request

Arrays = dict[str, Any]


def check(model: str | Path | None = "tiny", attributes: Any = None, **options: Any) -> None:
    settings = {name: str(value) for name, value in options.items()}
    jax_paligemma.check(BackendOptions(None if model is None else str(model), attributes or {}, settings))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkpoint folder that a test may spoil."""
    return Path(shutil.copytree(tiny_checkpoint(), tmp_path / "model"))


@pytest.fixture
def arrays(big_vision_arrays: Callable[[str], Arrays]) -> Arrays:
    """Arrays of a big_vision checkpoint that a test may spoil."""
    return big_vision_arrays("paligemma2")


@pytest.fixture
def npz(arrays: Arrays, write_npz: Callable[..., Path], tmp_path: Path) -> Path:
    return write_npz(tmp_path / "model.npz", arrays)


def test_planning_loads_neither_jax_nor_transformers(npz: Path) -> None:
    code = (
        "import sys; from evalsuite.backends import jax_paligemma as b;"
        "from evalsuite.backends.base import BackendOptions;"
        "b.check(BackendOptions('tiny', {}, {}));"
        f"b.check(BackendOptions({str(npz)!r}, {{}}, {{'tokenizer': {str(tiny_checkpoint())!r}}}));"
        "print(sorted({'jax', 'torch', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["jax", "transformers"])
def test_a_missing_package_is_named_with_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(MissingDependency, match=r"evalsuite\[jax\]") as caught:
        check("no/such/model", dtyp="x")
    assert caught.value.needs == package


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtyp": "float32"}, "Did you mean 'dtype'"),
        ({"dtype": "bfloat"}, "Did you mean 'bfloat16'"),
        ({"device": "cuda"}, "device='cuda'"),
        ({"batch_size": "0"}, "least is 1"),
        ({"devices": "two"}, "whole number"),
        ({"devices": "99"}, "devices=99, but jax sees"),
        ({"device": "tpu"}, "device tpu: jax sees only"),
        ({"image_pipeline": "processor"}, "reference"),
    ],
)
def test_wrong_options_are_found_while_planning(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(**options)


def test_the_default_and_both_tiny_models_are_always_there() -> None:
    for model in (None, "tiny", "tiny-paligemma"):
        check(model)


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(BackendError, match=r"tinny: no such folder\. Did you mean 'tiny'"):
        check("tinny")


def test_another_kind_of_model_is_sent_to_torch(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "llava"}))
    with pytest.raises(BackendError, match=r"is a llava model.*--backend torch"):
        check(copy)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("text_config", "rope_theta", 1e6),
        ("text_config", "rms_norm_eps", 1e-5),
        ("vision_config", "layer_norm_eps", 1e-5),
    ],
)
def test_a_config_that_states_another_arithmetic_is_refused(copy: Path, part: str, name: str, value: float) -> None:
    config = json.loads((copy / "config.json").read_text())
    config[part][name] = value
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match=f"{part}.{name} is {value}"):
        check(copy)


def test_missing_weights_of_a_folder_are_named_while_planning(copy: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["multi_modal_projector.linear.weight"]
    save_file(weights, copy / "model.safetensors")
    with pytest.raises(BackendError, match=r"1 weights are missing.*multi_modal_projector\.linear\.weight is missing"):
        check(copy)


def test_damaged_weights_are_a_backend_error(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"not safetensors at all")
    with pytest.raises(BackendError, match="cannot be read"):
        check(copy)


def test_a_npz_file_that_is_not_there_is_named() -> None:
    with pytest.raises(BackendError, match=r"checkpoints/pt_224\.npz: there is no such file"):
        check("checkpoints/pt_224.npz", tokenizer=tiny_checkpoint())


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 and then nothing"])
def test_a_damaged_npz_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(BackendError, match=r"model\.npz: is no \.npz file, or damaged"):
        check(tmp_path / "model.npz", tokenizer=tiny_checkpoint())


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("unpickled"),))


def test_pickled_objects_are_refused_and_never_run(
    arrays: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arrays["params/llm/final_norm/scale"] = np.array([Bomb()], dtype=object)
    np.savez(tmp_path / "model.npz", **arrays)
    with pytest.raises(BackendError, match=r"params/llm/final_norm/scale holds pickled objects"):
        check(tmp_path / "model.npz", tokenizer=tiny_checkpoint())
    assert not Path("unpickled").exists()


@pytest.mark.parametrize(
    "name",
    [
        "params/llm/embedder/input_embedding",
        "params/llm/layers/attn/kv_einsum/w",
        "params/llm/layers/mlp/gating_einsum",
        "params/llm/layers/post_ffw_norm/scale",
        "params/img/head/bias",
        "params/img/Transformer/encoderblock/LayerNorm_1/scale",
    ],
)
def test_missing_arrays_of_a_npz_file_are_named_while_planning(
    name: str, arrays: Arrays, write_npz: Callable[..., Path], tmp_path: Path
) -> None:
    del arrays[name]
    with pytest.raises(BackendError, match=f"{name} is missing"):
        check(write_npz(tmp_path / "model.npz", arrays), tokenizer=tiny_checkpoint())


def test_an_array_of_another_shape_is_named(arrays: Arrays, write_npz: Callable[..., Path], tmp_path: Path) -> None:
    arrays["params/img/head/kernel"] = arrays["params/img/head/kernel"][:-1]
    with pytest.raises(BackendError, match=r"params/img/head/kernel has shape \(63, 64\), not \(64, 64\)"):
        check(write_npz(tmp_path / "model.npz", arrays), tokenizer=tiny_checkpoint())


def test_image_positions_must_be_a_square(arrays: Arrays, write_npz: Callable[..., Path], tmp_path: Path) -> None:
    arrays["params/img/pos_embedding"] = arrays["params/img/pos_embedding"][:, :-1]
    with pytest.raises(BackendError, match="15 image positions"):
        check(write_npz(tmp_path / "model.npz", arrays), tokenizer=tiny_checkpoint())


def test_a_npz_file_needs_a_tokenizer(npz: Path) -> None:
    with pytest.raises(UsageError, match="--option tokenizer=PATH"):
        check(npz)


def test_a_tokenizer_that_is_not_there_is_named(npz: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"tokenizer=no/such\.model"):
        check(npz, tokenizer="no/such.model")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BackendError, match=r"neither tokenizer\.json nor tokenizer\.model"):
        check(npz, tokenizer=tmp_path / "empty")


def test_a_tokenizer_with_locations_in_other_places_is_refused(
    arrays: Arrays, write_npz: Callable[..., Path], tmp_path: Path
) -> None:
    """Location tokens are the last rows of the embedding; one row more, and every box would be off."""
    table = arrays["params/llm/embedder/input_embedding"]
    arrays["params/llm/embedder/input_embedding"] = np.concatenate([table, table[:1]])
    path = write_npz(tmp_path / "model.npz", arrays)
    options = BackendOptions(str(path), {}, {"tokenizer": str(tiny_checkpoint())})
    with pytest.raises(BackendError, match="does not fit"):
        jax_paligemma.create(options)


def test_a_sentencepiece_file_is_a_tokenizer(tmp_path: Path) -> None:
    """Whatever it is called; the official one is paligemma_tokenizer.model."""
    import sentencepiece

    (tmp_path / "text.txt").write_text("\n".join(["answer en what is the red dog on the left of a table"] * 50))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text.txt"), model_prefix=str(tmp_path / "paligemma_tokenizer"), vocab_size=300,
        hard_vocab_limit=False, model_type="bpe", byte_fallback=True, add_dummy_prefix=False, pad_id=0, eos_id=1,
        remove_extra_whitespaces=False, normalization_rule_name="identity", bos_id=2, unk_id=3, minloglevel=2,
        eos_piece="<eos>", bos_piece="<bos>", user_defined_symbols=["<mask>", "\n"],
    )  # fmt: skip
    path = tmp_path / "paligemma_tokenizer.model"
    size = sentencepiece.SentencePieceProcessor(model_file=str(path)).vocab_size() + 1152
    folder = tiny_checkpoint()
    config = json.loads((folder / "config.json").read_text())
    sizes = replace(from_config(Checkpoint("tiny", folder, config)), vocabulary=size)
    checkpoint = JaxCheckpoint(Checkpoint("model.npz", tmp_path / "model.npz", as_config(sizes)), sizes, path)
    tokenizer = checkpoint.tokenizer()
    assert tokenizer.id_of("<loc0000>") == size - 1152 and tokenizer.id_of("<seg127>") == size - 1
    assert tokenizer.text(tokenizer.prompt("red dog <loc0003>")[1:-1]) == "red dog <loc0003>"


def test_the_runs_resolution_must_be_the_checkpoints(npz: Path) -> None:
    with pytest.raises(BackendError, match=r"56 px.*448"):
        check(npz, {"resolution": 448}, tokenizer=tiny_checkpoint())


def test_memory_that_runs_out_is_reported_as_such() -> None:
    """A real refusal of the allocator: 64 TiB."""
    import jax.numpy as jnp

    from evalsuite.backends.jax_paligemma.devices import catch_out_of_memory

    with pytest.raises(BackendOutOfMemory, match="did not fit into memory: RESOURCE_EXHAUSTED"):
        catch_out_of_memory(lambda: jnp.zeros(1 << 44).block_until_ready())
    with pytest.raises(RuntimeError, match="something else"):
        catch_out_of_memory(lambda: (_ for _ in ()).throw(RuntimeError("something else")))


def test_after_running_out_of_memory_a_batch_is_padded_less(
    jax_backend: Callable[..., Any], make_request: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = jax_backend(max_batch_cost="50000")  # an instance of its own
    item = backend.prepare(make_request())
    tried = []

    def fail(arrays: Any, *arguments: Any) -> Any:
        tried.append(len(arrays.ids))
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes.")

    monkeypatch.setattr(backend.programs, "decode", fail)
    for count in (16, 8, 4, 2, 1):
        with pytest.raises(BackendOutOfMemory):
            backend.generate([item] * count)
    assert tried == [16, 8, 4, 2, 1]


def test_a_closed_backend_says_so(make_request: Callable[..., Request]) -> None:
    backend = jax_paligemma.create(BackendOptions("tiny", {}, {"compilation_cache": "none"}))
    item = backend.prepare(make_request())
    backend.close()
    backend.close()
    with pytest.raises(BackendError, match="tiny: the backend is closed"):
        backend.generate([item])


def test_the_manifest_tells_models_and_tokenizers_apart(npz: Path, jax_backend: Callable[..., Any]) -> None:
    facts = jax_backend("tiny").describe()
    assert facts["fingerprint"] == fingerprint(tiny_checkpoint())
    assert (facts["dtype"], facts["device"], facts["image_pipeline"]) == ("float32", "cpu", "reference")
    options = {"tokenizer": str(tiny_checkpoint() / "tokenizer.json"), "dtype": "bfloat16"}
    other = jax_paligemma.create(BackendOptions(str(npz), {}, options)).describe()
    assert other["fingerprint"] == digest(npz)
    assert other["tokenizer"] == digest(tiny_checkpoint() / "tokenizer.json")
    assert other["dtype"] == "bfloat16"
