"""Clips: which frames are taken, and how they are read from a file or from an object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from evalsuite.errors import EvalsuiteError, ExampleError, MissingDependency
from evalsuite.media.images import MAX_PIXELS, to_rgb

if TYPE_CHECKING:
    from PIL.Image import Image


CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,asf,ogg,gif,apng,webp,webp_pipe,mjpeg,rawvideo,"
    "h264,hevc,ivf,dv,swf,rm,nut,wav"
)
"""Formats whose content lies in the file itself. Playlists (HLS, DASH, concat, SDP) name other files and addresses."""

OPEN_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}

Segment = tuple[float, float]
"""Start and end in seconds; the part of a clip that is shown."""


@runtime_checkable
class Clip(Protocol):
    """A clip whose frames can be asked for one by one."""

    @property
    def frame_total(self) -> int: ...

    def frame(self, index: int) -> Image: ...


def sample_indices(total: int, frames: int, stride: int) -> list[int]:
    """Which ``frames`` of ``total`` frames are shown: every stride-th from frame 0; a short clip repeats cyclically.

    Source: big_vision ``pp/proj/paligemma/video.py``.

    >>> sample_indices(100, 4, 10)
    [0, 10, 20, 30]
    >>> sample_indices(25, 5, 10)
    [0, 10, 20, 0, 10]
    """
    if min(total, frames, stride) < 1:
        raise ValueError(f"total, frames and stride must be at least 1, got {total}, {frames}, {stride}")
    read = range(0, total, stride)[:frames]
    return [read[place % len(read)] for place in range(frames)]


@dataclass(frozen=True, slots=True)
class ClipVisual:
    """Sampled frames of a clip object."""

    clip: Clip
    count: int
    stride: int = 1

    @property
    def frame_count(self) -> int:
        return self.count

    def frames(self) -> list[Image]:
        """``count`` RGB images. Raises ExampleError when the clip is empty."""
        if self.clip.frame_total < 1:
            raise ExampleError("the clip has no frames")
        wanted = sample_indices(self.clip.frame_total, self.count, self.stride)
        read = {index: to_rgb(self.clip.frame(index)) for index in set(wanted)}
        return [read[index] for index in wanted]


@dataclass(frozen=True, slots=True)
class VideoFile:
    """Sampled frames of a video file, read with PyAV."""

    path: Path
    count: int
    stride: int = 1
    segment: Segment | None = None

    @property
    def frame_count(self) -> int:
        return self.count

    def frames(self) -> list[Image]:
        """``count`` RGB images. Raises ExampleError naming the file, MissingDependency without PyAV."""
        return _sampled(str(self.path), str(self.path), self.count, self.stride, self.segment)


@dataclass(frozen=True, slots=True)
class VideoBytes:
    """Sampled frames of an encoded video in memory."""

    data: bytes
    name: str
    count: int
    stride: int = 1
    segment: Segment | None = None

    @property
    def frame_count(self) -> int:
        return self.count

    def frames(self) -> list[Image]:
        """``count`` RGB images. Raises ExampleError naming the clip, MissingDependency without PyAV."""
        return _sampled(BytesIO(self.data), self.name, self.count, self.stride, self.segment)


def require_av() -> Any:
    """The ``av`` module. Raises MissingDependency that names the extra."""
    try:
        import av
    except ImportError:
        raise MissingDependency("reading video files", "av", extra="torch") from None
    return av


def _sampled(place: str | BytesIO, name: str, frames: int, stride: int, segment: Segment | None) -> list[Image]:
    """Every stride-th frame of the segment up to ``frames`` of them, repeated cyclically when it is shorter."""
    av = require_av()
    if isinstance(place, str) and not Path(place).is_file():
        raise ExampleError(f"{name}: there is no such file")
    try:
        with av.open(place, options=OPEN_OPTIONS) as container:
            read = list(_decoded(container, name, frames, stride, segment))
    except EvalsuiteError:
        raise
    except Exception as error:  # PyAV raises its own tree, and IndexError or ValueError on odd containers
        raise ExampleError(f"{name}: the video cannot be decoded ({error or type(error).__name__})") from error
    if not read:
        part = f" from {segment[0]:g} to {segment[1]:g} s" if segment else ""
        raise ExampleError(f"{name}: the video has no frames{part}")
    return [read[place % len(read)] for place in range(frames)]


def _decoded(container: Any, name: str, frames: int, stride: int, segment: Segment | None) -> Iterator[Image]:
    """The wanted frames, in order; frames between them are decoded (codecs need them) but never converted."""
    if not container.streams.video:
        raise ExampleError(f"{name}: there is no video track")
    stream = container.streams.video[0]
    if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
        raise ExampleError(f"{name}: frames of more than {MAX_PIXELS:,} pixels")
    stream.thread_type = "AUTO"
    last = (frames - 1) * stride
    for index, frame in enumerate(_inside(container.decode(stream), segment)):
        if index % stride == 0:
            yield _upright(frame)
        if index >= last:
            return


def _inside(frames: Iterator[Any], segment: Segment | None) -> Iterator[Any]:
    """The frames whose time lies in the segment, start included and end not."""
    if segment is None:
        yield from frames
        return
    for frame in frames:
        time = float(frame.time or 0.0)
        if time >= segment[1]:
            return
        if time >= segment[0]:
            yield frame


def _upright(frame: Any) -> Image:
    image: Image = frame.to_image()
    turn = round(getattr(frame, "rotation", 0) / 90) % 4  # quarter turns counter-clockwise, from the display matrix
    return image.rotate(90 * turn, expand=True) if turn else image
