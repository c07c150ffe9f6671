"""What the harness costs: the pipeline without a model, and the torch backend against hand-written loops.

    python benchmarks/overhead.py [--examples 20000] [--large 100000] [--images 5000] [--skip-torch]

Pipeline: plan, read, map, prompt, batch, store, score with intervals, report, in a process of its own with a backend
that answers instantly; examples/s over the whole command and its peak memory. Torch: the same model on prompts of mixed
length, as the harness runs it, as a bare batched loop in file order, and one example at a time.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

import own_files  # noqa: E402


def write_task(folder: Path, name: str, examples: int, image_files: int = 0) -> None:
    """A spec and its records; with ``image_files``, that many 224 px JPEGs, shared by the records."""
    fields = {"id": "id", "references": "answers", "values": {"question": "question"}}
    own_files.write_task(
        folder,
        _rows(examples, image_files),
        stratum="type",
        id=name,
        fields=fields | ({"images": ["image"]} if image_files else {}),
        prompt={"prefix": "answer en {question}"},
        decoding={"max_new_tokens": 16},
        metrics=[{"name": "vqa_v2", "headline": True}],
    )
    images = folder / "data" / name / "images"
    images.mkdir()
    for number in range(image_files):
        _photo(number).save(images / f"{number}.jpg", quality=90)


def _rows(examples: int, image_files: int) -> Iterator[dict[str, Any]]:
    colours = ("red", "green", "blue")
    for number in range(examples):
        row = {
            "id": number,
            "question": f"What colour is object {number} on the table?",
            "answers": [colours[(number + i // 7) % 3] for i in range(10)],
            "type": f"t{number % 4}",
        }
        yield row | ({"image": f"{number % image_files}.jpg"} if image_files else {})


def _photo(seed: int):
    """A 224 px image with the grain of a photograph, about 24 kB as JPEG."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (14, 14, 3), np.uint8)).resize((224, 224), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 12, (224, 224, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))


def pipeline(folder: Path, name: str, examples: int, *options: str) -> None:
    """Run the command in a process of its own and print its rate and peak memory."""
    words = own_files.run_words(folder, "echo", folder / f"out-{name}", "--quiet", *options, task=name)
    command = [sys.executable, __file__, "--child", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(done.stderr)
    seconds, megabytes = json.loads(done.stderr.strip().splitlines()[-1])
    label = f"{name}: {examples:,} examples"
    print(f"{label:<42} {seconds:7.2f} s  {examples / seconds:9,.0f} examples/s  peak {megabytes:5.0f} MB")


def child(arguments: list[str]) -> None:
    """The measured process: the command as a user gives it; start-up and imports are part of the time."""
    sys.path.insert(0, str(ROOT))
    begin = time.perf_counter()
    from evalsuite.cli import cli

    status = cli.main(arguments, standalone_mode=False)
    seconds = time.perf_counter() - begin
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([seconds, megabytes]), file=sys.stderr)
    sys.exit(status)


def main() -> None:
    if "--child" in sys.argv:
        child(sys.argv[sys.argv.index("--child") + 1 :])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=100_000, help="a second size, to show that memory stays flat")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--skip-torch", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, examples in (("text", given.examples), ("text_large", given.large)):
            write_task(folder, name, examples)
            pipeline(folder, name, examples)
        write_task(folder, "images", given.images, image_files=500)
        pipeline(folder, "images", given.images, "--option", "decode_images=true")
    if not given.skip_torch:
        sys.path.insert(0, str(ROOT))
        from benchmarks.torch_loops import compare

        compare()


if __name__ == "__main__":
    main()
