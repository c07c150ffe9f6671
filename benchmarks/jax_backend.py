"""The jax backend against the torch backend on the CPU, after compilation.

    python benchmarks/jax_backend.py [--examples N] [--medium]

Both answer the same prompts of 8 to 60 words on rendered images, resized to 224 px (256 image tokens), in batches of
16, with up to 16 new tokens, float32, through the engine's own preparing and packing. The first pass, in which jax
compiles, is timed apart; then the two take turns and the best of three counts. ``--medium`` takes a random PaliGemma 2
of 183 M parameters (SigLIP-B, 6 layers of width 1,024) instead of the tiny one.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from torch_loops import BATCH, NEW_TOKENS, examples, through_the_harness

ROUNDS = 3


def medium_checkpoint(folder: Path) -> Path:
    """A model whose time goes into matrix products, as a real one's does."""
    from safetensors.numpy import save_file

    from evalsuite.backends.tiny.shapes import TinyShape, image_processor_config, model_config
    from evalsuite.backends.tiny.tokenizer import write_tokenizer
    from evalsuite.backends.tiny.weights import tiny_weights

    text = {"hidden": 1024, "mlp": 4096, "layers": 6, "heads": 4, "head_dim": 256}
    vision = {"vision_hidden": 768, "vision_mlp": 3072, "vision_layers": 12, "vision_heads": 12}
    shape = TinyShape(resolution=224, **text, **vision)
    weights = tiny_weights(shape)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_tokenizer(folder)
    (folder / "config.json").write_text(json.dumps(model_config(shape)))
    (folder / "preprocessor_config.json").write_text(json.dumps(image_processor_config(shape)))
    print(f"{sum(array.size for array in weights.values()) / 1e6:.0f} M parameters")
    return folder


def compare(folder: Path, count: int) -> None:
    """Print examples/s of both, the first pass apart, and the ratio of their times."""
    import torch

    from evalsuite.backends import create_backend
    from evalsuite.backends.base import BackendOptions

    settings = {"batch_size": str(BATCH), "dtype": "float32", "device": "cpu"}
    backends: dict[str, Any] = {
        "torch": create_backend("torch", BackendOptions(str(folder), {}, settings)),
        "jax": create_backend("jax", BackendOptions(str(folder), {}, {**settings, "compilation_cache": "none"})),
    }
    items = examples(count)

    def seconds(name: str) -> float:
        begin = time.perf_counter()
        assert through_the_harness(backends[name], items) == count
        return time.perf_counter() - begin

    first = {name: seconds(name) for name in backends}
    rounds = [{name: seconds(name) for name in backends} for _ in range(ROUNDS)]
    best = {name: min(times[name] for times in rounds) for name in backends}
    print(f"{count} prompts of mixed length, batches of {BATCH}, {NEW_TOKENS} new tokens at most, float32")
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    for name in backends:
        rate = f"{count / best[name]:8.2f} examples/s"
        print(f"  {name:6} {rate}   first pass {first[name]:6.1f} s, then {best[name]:6.2f} s")
    print(f"  programs compiled by jax: {backends['jax'].programs.compiled}")
    print(f"  time of jax / torch = {best['jax'] / best['torch']:.2f}")


def main() -> None:
    from evalsuite.backends.tiny.checkpoint import tiny_checkpoint

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=192)
    parser.add_argument("--medium", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if not arguments.medium:
        compare(tiny_checkpoint(resolution=224), arguments.examples)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(medium_checkpoint(Path(folder)), arguments.examples)


if __name__ == "__main__":
    main()
