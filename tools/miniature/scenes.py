"""Scenes for the first stage of training: what every patch of a picture shows.

    python tools/miniature/scenes.py SCENES [--count 40000]

An image tower as small as ours learns shapes from questions alone only after millions of them. Told for every patch
which shape and colour covers it, it learns them from some ten thousand pictures.
"""

from __future__ import annotations

import argparse
import os
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.data.synthetic import Rendered
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.world import COLOURS, SHAPES, Scene, make_scene
from evalsuite.preparation import prepare_frames
from evalsuite.types import ImagePreparation

RESOLUTIONS = (112, 224, 448)
PATCH = 28
SHARD = 1000
SHARE = 0.25  # of a patch, or of an object smaller than a patch: what it must cover to be what the patch shows
KINDS = (tuple(SHAPES), tuple(COLOURS))
NOTHING = -1


class Scenes:
    """A finished pool of scenes at one resolution."""

    def __init__(self, folder: Path, side: int) -> None:
        self.side = side
        self._shards = [np.load(file, mmap_mode="r") for file in sorted(folder.glob(f"{side}-*-places.npy"))]
        self._bytes = [np.memmap(file, np.uint8, "r") for file in sorted(folder.glob(f"{side}-*.bin"))]
        self.labels: NDArray[np.int8] = np.concatenate(
            [np.load(file) for file in sorted(folder.glob(f"{side}-*-labels.npy"))]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self, index: int) -> NDArray[np.uint8]:
        """(side, side, 3)."""
        shard, place = divmod(index, SHARD)
        offset, length = self._shards[shard][place]
        packed = self._bytes[shard][offset : offset + length]
        return np.frombuffer(zlib.decompress(packed), np.uint8).reshape(self.side, self.side, 3)


def patch_labels(scene: Scene, side: int) -> NDArray[np.int8]:
    """Index of the shape and of the colour that covers most of each patch, NOTHING for background, (2, patches)."""
    across = side // PATCH
    edges = np.arange(across) / across
    best = np.zeros((across, across))
    found = np.full((2, across, across), NOTHING, np.int8)
    for item in scene.objects:
        x, y, width, height = item.place
        over_x = np.clip(np.minimum(edges + 1 / across, x + width) - np.maximum(edges, x), 0, None)
        over_y = np.clip(np.minimum(edges + 1 / across, y + height) - np.maximum(edges, y), 0, None)
        covered = np.outer(over_y, over_x) / min(width * height, across**-2)
        here = covered > np.maximum(best, SHARE)
        best[here] = covered[here]
        found[0, here], found[1, here] = KINDS[0].index(item.shape), KINDS[1].index(item.colour)
    return found.reshape(2, -1)


def build(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        list(processes.map(_make_shard, [(folder, shard) for shard in range(count // SHARD)]))


def _make_shard(given: tuple[Path, int]) -> None:
    folder, shard = given
    names = {side: folder / f"{side}-{shard:04d}" for side in RESOLUTIONS}
    if all(Path(f"{name}-labels.npy").exists() for name in names.values()):
        return
    packed: dict[int, list[bytes]] = {side: [] for side in RESOLUTIONS}
    labels: dict[int, list[Any]] = {side: [] for side in RESOLUTIONS}
    for place in range(SHARD):
        rng = SeededRandom("miniature", "train", shard, place)
        scene = make_scene(rng, rng.integer(1, 10), repeated=rng.chance(0.4))
        frames = Rendered(scene).frames()
        preparation = ImagePreparation(antialias=rng.chance(0.5))
        for side in RESOLUTIONS:
            packed[side].append(zlib.compress(prepare_frames(frames, side, preparation).tobytes(), 1))
            labels[side].append(patch_labels(scene, side))
    for side, name in names.items():
        lengths = np.array([len(piece) for piece in packed[side]])
        np.save(f"{name}-places.npy", np.stack([np.cumsum(lengths) - lengths, lengths], axis=1))
        Path(f"{name}.bin").write_bytes(b"".join(packed[side]))
        np.save(f"{name}-labels.npy", np.stack(labels[side]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40_000)
    chosen = parser.parse_args()
    build(chosen.folder, chosen.count)
