"""What the torch backend refuses, when, and in which words; and what it says of itself."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.backends import torch_hf
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints.fingerprints import fingerprint
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.errors import BackendError, BackendOutOfMemory, MissingDependency, UsageError
from evalsuite.types import Request

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def check(model: str | Path | None = "tiny", attributes: Any = None, **options: Any) -> None:
    torch_hf.check(BackendOptions(None if model is None else str(model), attributes or {}, options))


def create(model: str | Path, **options: str) -> Any:
    return torch_hf.create(BackendOptions(str(model), {}, {"device": "cpu", "threads": "1", **options}))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkpoint folder that a test may spoil."""
    return Path(shutil.copytree(tiny_checkpoint(), tmp_path / "model"))


def test_planning_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from evalsuite.backends import torch_hf; from evalsuite.backends.base import BackendOptions; "
        "torch_hf.check(BackendOptions('tiny', {}, {})); print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_idle_threads_are_told_to_sleep_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    torch_hf.use_passive_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    torch_hf.use_passive_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "active"


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_is_named_with_the_extra_before_anything_else(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(MissingDependency, match=r"evalsuite\[torch\]") as caught:
        check("no/such/model", dtyp="x")
    assert caught.value.needs == package


@pytest.mark.parametrize(
    ("version", "refused"), [("4.57.6", True), ("5.0rc1", True), ("5.20.0", False), ("6.1.0", False)]
)
def test_a_transformers_that_scales_embeddings_elsewhere_is_refused(
    version: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    if refused:
        with pytest.raises(MissingDependency, match=f"found transformers {version}.*transformers>=5.20"):
            check()
    else:
        check()


def test_a_model_whose_embeddings_are_not_scaled_by_its_width_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version says much, the model itself says it all."""
    from evalsuite.backends.torch_hf import loading

    load = loading.load_model

    def unscaled(*arguments: Any, **settings: Any) -> Any:
        loaded = load(*arguments, **settings)
        loaded.model.model.language_model.embed_tokens.embed_scale.fill_(1.0)
        return loaded

    monkeypatch.setattr(loading, "load_model", unscaled)
    with pytest.raises(BackendError, match="scales embeddings in another place"):
        create("tiny")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtyp": "float32"}, "Did you mean 'dtype'"),
        ({"dtype": "bfloat"}, "Did you mean 'bfloat16'"),
        ({"device": "cuda:x"}, "device='cuda:x'"),
        ({"batch_size": "0"}, "least is 1"),
        ({"batch_size": "many"}, "whole number"),
        ({"image_pipeline": "procesor"}, "Did you mean 'processor'"),
        ({"trust_remote_code": "maybe"}, "true or false"),
        ({"attention": "spda"}, "Did you mean 'sdpa'"),
    ],
)
def test_wrong_options_are_found_while_planning(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(**options)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="cuda:99"):
        create("tiny", device="cuda:99")


@pytest.mark.parametrize("model", ["tiny", "tiny-paligemma", None])
def test_tiny_is_always_there(model: str | None) -> None:
    check(model)


def test_hub_ids_are_accepted_by_their_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    check("google/paligemma2-3b-pt-224")
    check("google/paligemma2-3b-pt-224@refs/pr/1")


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_a_hub_id_must_be_in_the_local_cache(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(BackendError, match=r"no-such-owner/no-such-model.*HF_HUB_OFFLINE"):
        check("no-such-owner/no-such-model")


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Offline mode, and a cache with one downloaded model, owner/name; its newest commit's folder."""
    from huggingface_hub import constants

    repository = tmp_path / "models--owner--name"
    snapshot = repository / "snapshots" / COMMIT
    shutil.copytree(tiny_checkpoint(), snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return snapshot


@pytest.mark.parametrize("name", ["owner/name", "owner/name@main", f"owner/name@{COMMIT}"])
def test_offline_a_downloaded_model_is_used(name: str, hub_cache: Path) -> None:
    check(name)
    backend = create(name)
    assert backend.describe()["fingerprint"] == fingerprint(tiny_checkpoint())
    assert backend.describe()["model"] == name


def test_offline_another_commit_is_never_taken(hub_cache: Path) -> None:
    with pytest.raises(BackendError, match="not in the local hub cache"):
        check(f"owner/name@{COMMIT[::-1]}")


def test_offline_a_downloaded_model_is_looked_at_while_planning(hub_cache: Path) -> None:
    with pytest.raises(BackendError, match=r"owner/name: made for 56 px.*448"):
        check("owner/name", {"resolution": 448})
    (hub_cache / "model.safetensors").unlink()
    with pytest.raises(BackendError, match="owner/name: has no weights"):
        check("owner/name")


@pytest.mark.parametrize("name", ["tiney", "./checkpoints/a", "a/b/c", "/no/such/folder"])
def test_a_path_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(BackendError, match=f"{name}: no such folder"):
        check(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("tinny", "tiny"),
        ("Tiny-Paligema", "tiny-paligemma"),
        ("ceckpoints/vqav2/3b", "checkpoints/vqav2/3b"),
        ("checkpoints/vqa2/3b", "checkpoints/vqav2/3b"),
        ("checkpoints/vqav2/3B-224", "checkpoints/vqav2/3b-224"),
    ],
)
def test_a_mistyped_name_gets_the_nearest(
    name: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("vqav2/3b", "vqav2/3b-224", "docvqa/3b"):
        (tmp_path / "checkpoints" / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackendError, match=f"{name}: no such folder. Did you mean '{meant}'"):
        check(name)


def test_a_name_like_nothing_here_gets_no_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackendError, match=r"gpt: no such folder\. Give a checkpoint folder"):
        check("gpt")


def test_a_missing_subfolder_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkpoints").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackendError, match="checkpoints/step100: no such folder"):
        check("checkpoints/step100")


def test_a_folder_without_config_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"no config\.json"):
        check(tmp_path)


def test_an_adapter_is_no_whole_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(BackendError, match="Merge it"):
        check(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_a_damaged_config_is_named(copy: Path, text: str) -> None:
    (copy / "config.json").write_text(text)
    with pytest.raises(BackendError, match=r"config\.json is damaged"):
        check(copy)


def test_a_folder_without_weights_is_refused(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(BackendError, match="no weights"):
        check(copy)


def test_a_missing_shard_is_named(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BackendError, match="model-00002-of-00002"):
        check(copy)


def test_an_index_left_behind_does_not_hide_a_whole_file(copy: Path) -> None:
    """Which transformers takes first."""
    (copy / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')
    check(copy)


def pickle_weights(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def test_pickle_weights_need_leave(
    copy: Path, make_request: Callable[..., Request], answers: Callable[..., Any], torch_backend: Callable[..., Any]
) -> None:
    pickle_weights(copy)
    with pytest.raises(BackendError, match="allow_pickle_weights=true"):
        check(copy)
    backend = create(copy, allow_pickle_weights="true")
    expected = answers(torch_backend(), [make_request()], 1)[0].text
    assert answers(backend, [make_request()], 1)[0].text == expected


def test_damaged_weights_are_a_backend_error(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"not safetensors at all")
    with pytest.raises(BackendError, match=r"weights cannot be read: model\.safetensors is damaged"):
        check(copy)


def test_missing_weights_are_never_filled_with_random_numbers(copy: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["multi_modal_projector.linear.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackendError, match=r"multi_modal_projector\.linear\.weight"):
        create(copy)


def test_a_missing_tokenizer_is_a_backend_error(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(BackendError, match="tokenizer"):
        create(copy)


def test_a_processor_that_needs_torchvision_is_explained() -> None:
    from evalsuite.backends.checkpoints.resolve import Checkpoint
    from evalsuite.backends.torch_hf.loading import guarded

    def fail() -> None:
        raise ImportError("\nVideoProcessor requires the Torchvision library but it was not found in your environment.")

    with pytest.raises(BackendError, match="release that belongs to your torch"):
        guarded(Checkpoint("qwen", Path(), {}), fail)


def test_soft_caps_cannot_be_left_out() -> None:
    with pytest.raises(UsageError, match="soft caps"):
        create("tiny", attention="sdpa")


def test_the_runs_resolution_must_be_the_checkpoints(copy: Path) -> None:
    with pytest.raises(BackendError, match=r"56 px.*448"):
        check(copy, {"resolution": 448})
    check(copy, {"resolution": "56"})


def test_a_released_config_without_image_size_means_224_pixels(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    del config["vision_config"]["image_size"]
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match=r"224 px.*448"):
        check(copy, {"resolution": 448})
    check(copy, {"resolution": 224})


def test_a_resolution_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="resolution='large'"):
        check("tiny", {"resolution": "large"})


def test_tiny_takes_the_runs_resolution_and_seed(
    make_request: Callable[..., Request], torch_backend: Callable[..., Any]
) -> None:
    backend = torch_backend("tiny", {"resolution": 28, "seed": 3})
    assert backend.prepare(make_request()).payload.pixels.shape == (1, 28, 28, 3)
    assert backend.describe()["resolution"] == 28
    with pytest.raises(BackendError, match="multiple of 14"):
        check("tiny", {"resolution": 100})


@pytest.mark.parametrize(
    "problem", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")]
)
def test_running_out_of_memory_is_told_apart(
    problem: Exception, torch_backend: Callable[..., Any], make_request: Callable[..., Request],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    backend = torch_backend()
    prepared = [backend.prepare(make_request())]

    def fail(batch: Any) -> Any:
        raise problem

    with monkeypatch.context() as patch:
        patch.setattr(backend.model, "generate", fail)
        with pytest.raises(BackendOutOfMemory):
            backend.generate(prepared)
    assert backend.generate(prepared)[0].error is None


def test_cuda_running_out_of_memory_is_told_apart() -> None:
    import torch

    from evalsuite.backends.torch_hf.memory import catch_out_of_memory

    def fail() -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with pytest.raises(BackendOutOfMemory, match=r"2\.00 GiB"):
        catch_out_of_memory(fail)


def test_the_memory_of_a_failed_batch_is_free_when_the_error_arrives() -> None:
    import weakref

    import torch

    from evalsuite.backends.torch_hf.memory import catch_out_of_memory

    kept: list[Any] = []

    def fail() -> None:
        tensor = torch.zeros(8)
        circle: list[Any] = [tensor]
        circle.append(circle)
        kept.append(weakref.ref(tensor))
        raise RuntimeError("out of memory")

    with pytest.raises(BackendOutOfMemory):
        catch_out_of_memory(fail)
    assert kept[0]() is None


def test_other_errors_of_torch_keep_their_traceback() -> None:
    from evalsuite.backends.torch_hf.memory import catch_out_of_memory

    def fail() -> None:
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        catch_out_of_memory(fail)


def test_limits_follow_the_options() -> None:
    backend = create("tiny", batch_size="3", max_batch_cost="500")
    assert (backend.limits.max_examples, backend.limits.max_cost) == (3, 500)
    assert create("tiny").limits.max_examples == 16


def test_the_description_names_what_can_change_an_answer(torch_backend: Callable[..., Any]) -> None:
    facts = torch_backend().describe()
    assert {
        "backend": "torch", "model": "tiny", "family": "paligemma2", "dtype": "float32", "device": "cpu",
        "attention": "grouped", "image_pipeline": "reference", "resolution": 56,
    }.items() <= facts.items()  # fmt: skip
    assert set(facts["versions"]) == {"torch", "transformers"}
    assert "batch_size" not in json.dumps(facts)


def test_the_fingerprint_follows_weights_and_config(copy: Path) -> None:
    first = fingerprint(copy)
    assert fingerprint(tiny_checkpoint()) == first
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    second = fingerprint(copy)
    (copy / "config.json").write_text((copy / "config.json").read_text() + " ")
    assert len({first, second, fingerprint(copy)}) == 3


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"])
def test_the_fingerprint_follows_tokenizer_and_processor(name: str, copy: Path) -> None:
    first = fingerprint(copy)
    (copy / name).write_text((copy / name).read_text() + " ")
    assert fingerprint(copy) != first


def test_a_closed_backend_says_so(make_request: Callable[..., Request]) -> None:
    backend = create("tiny")
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.prepare(make_request())
