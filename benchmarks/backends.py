"""The torch backend on the CPU against hand-written loops, on a workload as mixed as the suite.

    python benchmarks/backends.py [--scale 1.0] [--rounds 2]

Questions with answers of 8 and 16 tokens, captions of 32, tables of 512, all at 224 px, and documents at 448 px, in a
shuffled file. Every answer has its full length: end-of-sequence is forbidden in all three ways, so that they decode
the same number of tokens. Random tiny PaliGemma 2, float32. Image preparation and tokenizing are part of the times,
loading is not. The ways take turns; the best round of each counts.

    harness      prepare ahead in threads, pack by cost, generate
    packed loop  a hand-written loop over the key-value cache, on batches packed perfectly: known beforehand, sorted by
                 answer length and prompt length, 16 at a time
    batch 1      ``model.generate`` on one example at a time, in file order
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch is imported
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

BATCH = 16
END = 1  # id of end-of-sequence
KINDS = {  # name: (examples, tokens of an answer, pixels)
    "short answers": (96, 8, 224),
    "answers": (96, 16, 224),
    "captions": (64, 32, 224),
    "tables": (16, 512, 224),
    "documents": (32, 32, 448),
}


@dataclass(frozen=True)
class Item:
    kind: str
    prompt: str
    image: Any
    budget: int
    resolution: int


@dataclass
class Loaded:
    """One resolution's model: as a backend, and bare with its processor."""

    backend: Any
    model: Any
    processor: Any


def workload(scale: float) -> list[Item]:
    from benchmarks.torch_loops import examples

    counts = {kind: max(1, round(count * scale)) for kind, (count, _, _) in KINDS.items()}
    pairs = iter(examples(sum(counts.values())))
    items = [
        Item(kind, *next(pairs), KINDS[kind][1], KINDS[kind][2]) for kind, count in counts.items() for _ in range(count)
    ]
    random.Random(0).shuffle(items)
    return items


def load(resolution: int) -> Loaded:
    import torch
    from transformers import AutoProcessor, PaliGemmaForConditionalGeneration

    from evalsuite.backends import create_backend
    from evalsuite.backends.base import BackendOptions
    from evalsuite.backends.tiny.checkpoint import tiny_checkpoint

    folder = tiny_checkpoint(resolution=resolution)
    options = {"batch_size": str(BATCH), "dtype": "float32", "device": "cpu"}
    backend = create_backend("torch", BackendOptions(str(folder), {}, options))
    model = PaliGemmaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    return Loaded(backend, model, AutoProcessor.from_pretrained(folder))


def harness(loaded: dict[int, Loaded], items: Sequence[Item]) -> int:
    """As the engine runs it: task after task, each streamed in file order."""
    from evalsuite.engine.batching import BatchSizer, pack, prepare_ahead
    from evalsuite.types import Decoding, ExampleKey, Request

    tokens = 0
    for kind in KINDS:
        own = [item for item in items if item.kind == kind]
        backend = loaded[KINDS[kind][2]].backend
        requests = (
            Request(
                ExampleKey(kind, "test", str(number)),
                item.prompt,
                (item.image,),
                Decoding(item.budget, forbidden=("<eos>",)),
            )
            for number, item in enumerate(own)
        )
        prepared = prepare_ahead(requests, backend, workers=os.cpu_count() or 1)
        for batch in pack(prepared, BatchSizer.of(backend.limits)):
            tokens += sum(len(answer.token_ids) for answer in backend.generate(batch))
    return tokens


def packed_loop(loaded: dict[int, Loaded], items: Sequence[Item]) -> int:
    tokens = 0
    for kind in KINDS:
        own = sorted((item for item in items if item.kind == kind), key=lambda item: len(item.prompt))
        for start in range(0, len(own), BATCH):
            tokens += _cached_loop(loaded[KINDS[kind][2]], own[start : start + BATCH])
    return tokens


def _cached_loop(loaded: Loaded, batch: Sequence[Item]) -> int:
    """What one writes by hand: one prefill, then single tokens against the cache of transformers."""
    import torch

    inputs = _inputs(loaded, batch)
    mask = inputs["attention_mask"]
    written = []
    with torch.inference_mode():
        out = loaded.model(**inputs, use_cache=True, logits_to_keep=1)
        for step in range(batch[0].budget):
            logits = out.logits[:, -1]
            logits[:, END] = -torch.inf
            written.append(logits.argmax(dim=-1))
            if step == batch[0].budget - 1:
                break
            mask = torch.nn.functional.pad(mask, (0, 1), value=1)
            out = loaded.model(
                input_ids=written[-1][:, None],
                attention_mask=mask,
                position_ids=mask.sum(dim=1, keepdim=True) - 1,
                past_key_values=out.past_key_values,
                use_cache=True,
            )
    return sum(len(ids) for ids in torch.stack(written, dim=1).tolist())


def batch_of_one(loaded: dict[int, Loaded], items: Sequence[Item]) -> int:
    import torch

    tokens = 0
    for item in items:
        own = loaded[item.resolution]
        inputs = _inputs(own, [item])
        with torch.inference_mode():
            out = own.model.generate(**inputs, max_new_tokens=item.budget, min_new_tokens=item.budget, do_sample=False)
        tokens += out.shape[1] - inputs["input_ids"].shape[1]
    return tokens


def _inputs(loaded: Loaded, batch: Sequence[Item]) -> Any:
    inputs = loaded.processor(
        text=["<image>" + item.prompt for item in batch],
        images=[item.image.frames()[0] for item in batch],
        return_tensors="pt",
        padding=True,
    )
    inputs.pop("labels", None)  # they would ask for a loss
    return inputs


def measure(ways: dict[str, Callable[..., int]], loaded: dict[int, Loaded], items: list[Item], rounds: int) -> None:
    """Print tokens/s of each way and the harness relative to the others."""
    expected = sum(item.budget for item in items)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.perf_counter()
            tokens = way(loaded, items)
            seconds[name].append(time.perf_counter() - begin)
            assert tokens == expected, f"{name} decoded {tokens} tokens, not {expected}"
    best = {name: min(times) for name, times in seconds.items()}
    for name, least in best.items():
        ratio = "" if name == "harness" else f"   harness / {name} = {least / best['harness']:.2f}"
        rates = f"{len(items) / least:7.1f} examples/s  {expected / least:7.0f} tokens/s"
        print(f"  {name:<12} {least:7.1f} s  {rates}{ratio}")


def warm_up(ways: Iterable[Callable[..., int]], loaded: dict[int, Loaded]) -> None:
    for way in ways:
        way(loaded, workload(0.02))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the workload")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    import torch

    loaded = {resolution: load(resolution) for resolution in (224, 448)}
    ways = {"harness": harness, "packed loop": packed_loop, "batch 1": batch_of_one}
    warm_up(ways.values(), loaded)
    items = workload(given.scale)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(items)} examples")
    measure(ways, loaded, items, given.rounds)


if __name__ == "__main__":
    main()
