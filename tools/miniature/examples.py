"""The training pool of the miniature models: prompts, targets and pixels of the synthetic world's training splits.

    python tools/miniature/examples.py POOL [--units 400]

Prompts and pixels are made by evalsuite itself, from the same task specs that later evaluate the models, so that both
see the same. Records come from splits whose names begin with ``train``, which no task reports.
"""

from __future__ import annotations

import argparse
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.asking.requests import RequestBuilder
from evalsuite.data.mapping import BadExample, Mapper
from evalsuite.data.synthetic import SyntheticSource
from evalsuite.data.targets import TARGETS, perfect_answer
from evalsuite.media.preparation import prepare_frames
from evalsuite.specs import TaskRegistry, TaskSpec
from evalsuite.types import Request

SEED = 0  # of the synthetic world; the names of the splits keep training and evaluation apart
RESOLUTIONS = (112, 224, 448)
VIDEO_RESOLUTIONS = (112, 224)  # the papers have no clips above 224 px
LONGEST_TARGET = 480  # characters; longer ones (large tables, dense pages) are left out
SHARD = 500  # examples made by one call

SHARES: dict[str, float] = {
    # questions about scenes
    "vqav2": 7,
    "gqa": 5,
    "okvqa": 2,
    "aokvqa_da": 1,
    "aokvqa_mc": 2,
    "ai2d": 2,
    "science_qa": 2,
    "tallyqa": 5,
    "countbenchqa": 3,
    "pope": 4,
    "mmvp": 3,
    "objaverse_multiview": 1,
    "rsvqa_lr": 4,
    "vsr": 6,
    "nlvr2": 6,
    "marvl": 4,
    "xgqa": 4,
    # reading
    "textvqa": 4,
    "stvqa": 4,
    "ocrvqa": 3,
    "docvqa": 4,
    "infovqa": 3,
    "chartqa": 4,
    "textcaps": 4,
    "widgetcap": 2,
    "screen2words": 2,
    "scicap": 2,
    "icdar15": 4,
    # captions
    "cococap": 5,
    "coco35l": 7,
    "fairface_toxicity": 0.3,
    "mimic_cxr": 1,
    # boxes and structures
    "refcoco": 6,
    "coco_detection": 3,
    "doclaynet_detection": 1,
    "pubtabnet": 2,
    "molscribe_chemdraw": 1,
    "grandstaff": 1,
    # clips
    "msvd_qa": 2,
    "msrvtt_qa": 1,
    "nextqa": 1,
    "vatex": 2,
    "activitynet_cap": 1,
}
"""Training examples per task, in units of ``--units``. Tasks whose generator and prompt are those of one named here
(VizWiz-VQA, RefCOCO+, FinTabNet, …) are left out; so are NoCaps, which the papers evaluate without training on it, and
DOCCI, whose prompt is that of short captions."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Item:
    """One training example. places: resolution -> (offset, length) of its compressed pixels in the pool's file."""

    task: str
    prompt: str
    max_prompt_tokens: int | None
    target: str
    frames: int
    places: dict[int, tuple[int, int]]


class Pool:
    """A finished pool on disk. Pixels are read when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items: list[Item] = []
        self._files: list[Path] = []
        self._shard_of: list[int] = []
        for shard, file in enumerate(sorted(folder.glob("*.jsonl"))):
            self._files.append(file)
            for line in file.read_text("utf-8").splitlines():
                values = json.loads(line)
                values["places"] = {int(side): tuple(place) for side, place in values["places"].items()}
                self.items.append(Item(**values))
                self._shard_of.append(shard)
        if not self.items:
            raise SystemExit(f"{folder}: no examples here; make them with tools/miniature/examples.py {folder}")
        self._bytes = [np.memmap(file.with_suffix(".bin"), np.uint8, "r") for file in self._files]

    def pixels(self, index: int, side: int) -> Pixels:
        """(frames, side, side, 3), uint8."""
        item = self.items[index]
        offset, length = item.places[side]
        packed = self._bytes[self._shard_of[index]][offset : offset + length]
        return np.frombuffer(zlib.decompress(packed), np.uint8).reshape(item.frames, side, side, 3)


def build(folder: Path, units: int) -> None:
    """Make every shard that is not there yet, two at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for task, share in SHARES.items():
        count = round(share * units)
        shards += [(folder, task, start, min(SHARD, count - start)) for start in range(0, count, SHARD)]
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for done in processes.map(_make_shard, shards):
            print(done, flush=True)


def _make_shard(shard: tuple[Path, str, int, int]) -> str:
    folder, task, start, count = shard
    lines = folder / f"{task}-{start:06d}.jsonl"
    if lines.exists():
        return f"{lines.name}: is there"
    offset, rows = 0, []
    with lines.with_suffix(".bin").open("wb") as blobs:
        for target, request in _wanted(task, start, count):
            frames = [frame for visual in request.visuals for frame in visual.frames()]
            sides = RESOLUTIONS if len(frames) <= 2 else VIDEO_RESOLUTIONS
            places = {}
            for side in sides:
                packed = zlib.compress(prepare_frames(frames, side, request.preparation).astype(np.uint8).tobytes(), 1)
                places[side] = (offset, len(packed))
                blobs.write(packed)
                offset += len(packed)
            rows.append(
                json.dumps(
                    {
                        "task": task,
                        "prompt": request.prompt,
                        "max_prompt_tokens": request.max_prompt_tokens,
                        "target": target,
                        "frames": len(frames),
                        "places": places,
                    },
                    ensure_ascii=False,
                )
            )
    lines.write_text("\n".join(rows) + "\n", "utf-8")
    return f"{lines.name}: {len(rows)} examples"


def _wanted(task: str, start: int, count: int) -> Iterator[tuple[str, Request]]:
    """Target and request of ``count`` examples of a task whose target is short enough."""
    spec = _specs()[task]
    builder, found = RequestBuilder(spec), 0
    for target, example in _examples(spec, start):
        if len(target) <= LONGEST_TARGET:
            yield target, builder(example)
            found += 1
            if found == count:
                return


def _examples(spec: TaskSpec, start: int) -> Iterator[tuple[str, Any]]:
    """Targets and examples of the training splits, one record of each language in turn, from record ``start`` * 4.

    A split that names a language becomes the training split of that language: ``dev_sw`` is made from ``train_sw``.
    """
    synthetic = spec.data.synthetic
    assert synthetic is not None
    mapper = Mapper(spec, spec.fields, None)
    source = SyntheticSource(synthetic.generator, synthetic.parameters, 1 << 40, SEED)
    splits = [split.name for split in spec.reported()]
    names = [f"train_{name.rpartition('_')[2]}" if len(splits) > 3 else "train" for name in splits]
    records = [source.records_from(name, start * 4) for name in dict.fromkeys(names)]
    place = 0
    while True:
        for split, stream in zip(splits, records, strict=False):
            for scope in mapper.scopes(next(stream), place, split):
                example = mapper.example(scope, split, place)
                assert not isinstance(example, BadExample), example.error
                yield target_of(spec, example.references), example
            place += 1


def target_of(spec: TaskSpec, references: Sequence[Any]) -> str:
    """What the model is taught to say: the first reference, or what most annotators said, or the exact structure."""
    metric = spec.headline().name
    if metric in TARGETS:
        return " ; ".join(sorted(perfect_answer(metric, references).split(" ; ")))  # in the order of reading
    if metric == "paired_accuracy":  # which ignores case, and POPE asks the same in small letters
        return str(references[0]["answer"]).lower()
    if metric == "science_qa":
        return f"The answer is {'ABCDEFGH'[references[0]['answer']]}."
    if metric == "toxicity":
        return "a person who smiles"
    if isinstance(references[0], dict):
        return str(references[0]["answer"])
    if metric in ("vqa_v2", "vqa_soft", "vizwiz"):
        return Counter(map(str, references)).most_common(1)[0][0]
    return str(references[0])


@cache
def _specs() -> dict[str, TaskSpec]:
    return {spec.id: spec for spec in TaskRegistry(plugins=False).select("all")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--units", type=int, default=400)
    chosen = parser.parse_args()
    build(chosen.pool, chosen.units)
