"""The torch backend as the harness runs it, against hand-written loops over the same model and examples.

    bare loop, batch 16     processor and ``model.generate`` on 16 examples at a time, in file order
    bare loop, batch 1      the same, one example at a time: what most harnesses do

Prompts of 8 to 60 words on rendered images that are resized to 224 px (256 image tokens), up to 16 new tokens, float32
on the CPU; the random tiny PaliGemma 2, loaded outside of the times. All three open and resize the same images and
decode the same number of tokens at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

BATCH = 16
NEW_TOKENS = 16


def examples(count: int) -> list[tuple[str, Any]]:
    """(prompt, visual) pairs: questions padded to mixed length, images of the synthetic world."""
    import random

    from evalsuite.data.synthetic import SyntheticSource

    rng = random.Random(0)
    words = [
        "the",
        "red",
        "square",
        "left",
        "of",
        "a",
        "small",
        "blue",
        "circle",
        "above",
        "two",
        "green",
        "stars",
        "near",
        "big",
        "yellow",
        "ring",
    ]
    records = SyntheticSource("vqa_ten_answers", {}, count).records("validation")
    return [
        (
            "answer en " + record["question"] + " " + " ".join(rng.choices(words, k=rng.choice([0, 4, 20, 50]))),
            record["image"],
        )
        for record in records
    ]


def through_the_harness(backend: Any, items: Sequence[tuple[str, Any]]) -> int:
    """Prepare ahead, pack by cost, generate: the engine's path, without reading and storing."""
    from evalsuite.engine.batching import BatchSizer, pack, prepare_ahead
    from evalsuite.types import Decoding, ExampleKey, Request

    requests = (
        Request(ExampleKey("bench", "test", str(number)), prompt, (image,), Decoding(NEW_TOKENS))
        for number, (prompt, image) in enumerate(items)
    )
    prepared = prepare_ahead(requests, backend, workers=2)
    return sum(len(backend.generate(batch)) for batch in pack(prepared, BatchSizer.of(backend.limits)))


def bare_loop(model: Any, processor: Any, items: Sequence[tuple[str, Any]], size: int) -> int:
    """What one writes by hand from the model's documentation."""
    import torch

    done = 0
    for start in range(0, len(items), size):
        part = items[start : start + size]
        inputs = processor(
            text=["<image>" + prompt for prompt, _ in part],
            images=[image.frames()[0] for _, image in part],
            return_tensors="pt",
            padding=True,
        )
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
        done += len(processor.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return done


def compare(count: int = 384) -> None:
    """Print examples/s of the three, best of two, and their ratios."""
    import torch
    from transformers import AutoProcessor, PaliGemmaForConditionalGeneration

    from evalsuite.backends import create_backend
    from evalsuite.backends.base import BackendOptions
    from evalsuite.backends.tiny.checkpoint import tiny_checkpoint

    folder = tiny_checkpoint(resolution=224)
    backend = create_backend("torch", BackendOptions(str(folder), {}, {"batch_size": str(BATCH), "dtype": "float32"}))
    model = PaliGemmaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(folder)
    items = examples(count)

    def rate(work: Callable[[Sequence[tuple[str, Any]]], int], items: Sequence[tuple[str, Any]]) -> float:
        work(items[:32])
        seconds = []
        for _ in range(2):
            begin = time.perf_counter()
            answered = work(items)
            seconds.append(time.perf_counter() - begin)
            assert answered == len(items)
        return len(items) / min(seconds)

    harness = rate(lambda part: through_the_harness(backend, part), items)
    batched = rate(lambda part: bare_loop(model, processor, part, BATCH), items)
    single = rate(lambda part: bare_loop(model, processor, part, 1), items[: count // 4])
    print(f"torch, {torch.get_num_threads()} threads, {count} prompts of mixed length, {NEW_TOKENS} new tokens at most")
    print(f"  harness                {harness:7.1f} examples/s")
    print(f"  bare loop, batch {BATCH}    {batched:7.1f} examples/s   harness / bare = {harness / batched:.2f}")
    print(f"  bare loop, batch 1     {single:7.1f} examples/s   harness / single = {harness / single:.2f}")
