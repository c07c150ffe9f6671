"""What a record holds for an image or a clip, as a Visual; and which files a record may name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalsuite.errors import ExampleError
from evalsuite.media.images import ImageBytes, ImageFile, image_size
from evalsuite.media.video import ClipVisual, Segment, VideoBytes, VideoFile
from evalsuite.types import Visual


class MediaFolder:
    """Turns what a record holds for an image or a clip into a Visual, without opening anything."""

    def __init__(self, root: Path | None, trusted_roots: Sequence[Path] = ()) -> None:
        self._root = None if root is None else os.path.realpath(root)
        self._allowed = tuple(os.path.realpath(path) for path in ([root] if root else []) + list(trusted_roots))

    def image(self, value: Any) -> Visual:
        """A path, ``{bytes, path}``, bytes or a Visual as a Visual. Raises ExampleError for anything else."""
        if isinstance(value, (str, Path)):
            return ImageFile(self.path(value))
        if isinstance(value, bytes):
            return ImageBytes(value)
        if isinstance(value, dict) and (value.get("bytes") is not None or value.get("path")):
            if value.get("bytes") is None:
                return ImageFile(self.path(value["path"]))
            return ImageBytes(value["bytes"], value.get("path") or "embedded image")
        if isinstance(value, Visual):
            return value
        raise ExampleError(f"{_kind(value)} is not an image (a path, bytes, or bytes with a path)")

    def clip(self, value: Any, frames: int, stride: int, segment: Segment | None = None) -> Visual:
        """A path, ``{bytes, path}`` or a clip object as a Visual of ``frames`` frames of the segment.

        A clip object is drawn and has no times; it is taken to be the segment already.
        """
        if isinstance(value, (str, Path)):
            return VideoFile(self.path(value), frames, stride, segment)
        if isinstance(value, dict) and (value.get("bytes") is not None or value.get("path")):
            if value.get("bytes") is None:
                return VideoFile(self.path(value["path"]), frames, stride, segment)
            return VideoBytes(value["bytes"], value.get("path") or "embedded video", frames, stride, segment)
        if hasattr(value, "frame_total") and hasattr(value, "frame"):
            return ClipVisual(value, frames, stride)
        raise ExampleError(f"{_kind(value)} is not a video (a path, or bytes with a path)")

    def size(self, value: Any) -> list[int]:
        """[height, width] of an image, for the function ``image_size``."""
        return list(image_size(self.image(value)))

    def path(self, name: str | Path) -> Path:
        """The file below the media folder. Raises ExampleError when it would lie outside, links followed."""
        name = os.fspath(name)
        if "://" in name:
            raise ExampleError(f"{name!r} is a web address: download the file into the media folder and name it there")
        if self._root is None and not os.path.isabs(name):
            raise ExampleError(f"the source has no media folder, so the path {name!r} cannot be followed")
        if not name or "\0" in name:
            raise ExampleError(f"{name!r} is not a path")
        folder, file = os.path.split(os.path.join(self._root or "", name))
        if file in ("", ".", ".."):
            raise ExampleError(f"{name!r} is a folder, not a file")
        place = os.path.join(_real_folder(folder), file)
        if os.path.islink(place):
            place = os.path.realpath(place)
        if not any(place.startswith(root.rstrip(os.sep) + os.sep) for root in self._allowed):
            raise ExampleError(f"the path {name!r} leads out of the media folder {self._root or '(none)'}")
        return Path(place)


@lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    """Resolving links costs a system call per level; thousands of images share a folder."""
    return os.path.realpath(folder)


def _kind(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {str(value)[:60]!r}"
