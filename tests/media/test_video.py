"""Clips: which frames are shown, from files and from objects."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from evalsuite.errors import ExampleError, MissingDependency
from evalsuite.media import video
from evalsuite.media.video import ClipVisual, VideoBytes, VideoFile, sample_indices
from evalsuite.types import Visual

LEVELS = tuple(range(0, 250, 10))  # grey level of each frame


def write_clip(path: Path, levels: Sequence[int] = LEVELS, width: int = 64, height: int = 32) -> Path:
    """An MPEG-4 clip of plain grey frames, the top left quarter white."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for grey in levels:
            pixels = np.full((height, width, 3), grey, np.uint8)
            pixels[: height // 2, : width // 2] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def level(frame: Image.Image, x: int, y: int) -> int:
    return int(np.asarray(frame)[y, x, 0])


def shown(frames: Sequence[Image.Image]) -> list[int]:
    """The grey level of each frame at the bottom right, to the nearest ten."""
    return [round(level(frame, frame.width - 8, frame.height - 8) / 10) * 10 for frame in frames]


@pytest.mark.parametrize(
    ("total", "frames", "stride", "expected"),
    [
        (100, 4, 10, [0, 10, 20, 30]),
        (31, 4, 10, [0, 10, 20, 30]),
        (30, 4, 10, [0, 10, 20, 0]),
        (25, 7, 10, [0, 10, 20, 0, 10, 20, 0]),
        (1, 3, 5, [0, 0, 0]),
        (8, 8, 1, list(range(8))),
    ],
)
def test_every_stride_th_frame_from_the_first_and_short_clips_repeat(
    total: int, frames: int, stride: int, expected: list[int]
) -> None:
    assert sample_indices(total, frames, stride) == expected


def test_nothing_cannot_be_sampled() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        sample_indices(0, 4, 1)


def test_a_file_gives_the_sampled_frames(tmp_path: Path) -> None:
    visual = VideoFile(write_clip(tmp_path / "a.mp4"), 4, 5)
    assert isinstance(visual, Visual) and visual.frame_count == 4
    frames = visual.frames()
    assert shown(frames) == [0, 50, 100, 150] and {(frame.mode, frame.size) for frame in frames} == {("RGB", (64, 32))}


def test_a_short_file_repeats(tmp_path: Path) -> None:
    assert shown(VideoFile(write_clip(tmp_path / "a.mp4"), 6, 10).frames()) == [0, 100, 200, 0, 100, 200]


def test_bytes_give_the_same_frames_as_the_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    assert shown(VideoBytes(path.read_bytes(), "a", 4, 5).frames()) == [0, 50, 100, 150]


@pytest.mark.parametrize(
    ("segment", "expected"),
    [((0.0, 9.9), [0, 50, 100, 150]), ((0.5, 2.0), [50, 100, 150, 50]), ((1.0, 1.2), [100, 100, 100, 100])],
)
def test_a_segment_in_seconds_is_sampled_as_a_clip_of_its_own(
    tmp_path: Path, segment: tuple[float, float], expected: list[int]
) -> None:
    """Ten frames a second; the stride counts from the segment's first frame, and short segments repeat."""
    path = write_clip(tmp_path / "a.mp4")
    assert shown(VideoFile(path, 4, 5, segment).frames()) == expected
    assert shown(VideoBytes(path.read_bytes(), "a", 4, 5, segment).frames()) == expected


def test_a_segment_beyond_the_end_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match=r"a\.mp4: the video has no frames from 60 to 61 s"):
        VideoFile(write_clip(tmp_path / "a.mp4"), 4, 5, (60.0, 61.0)).frames()


def turned(data: bytes) -> bytes:
    """The MP4 with a display matrix that turns it clockwise by a quarter: the track header's identity replaced."""
    one, minus, unit, none = (65536).to_bytes(4), (-65536).to_bytes(4, signed=True), (1 << 30).to_bytes(4), bytes(4)
    identity = one + none * 3 + one + none * 3 + unit
    clockwise = none + one + none + minus + none * 4 + unit
    header = data.index(b"tkhd")
    return data[:header] + data[header:].replace(identity, clockwise, 1)


def test_a_phone_clip_stored_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    data = turned(write_clip(tmp_path / "a.mp4", [0, 0]).read_bytes())
    frame = VideoBytes(data, "turned", 1, 1).frames()[0]
    assert frame.size == (32, 64)
    assert level(frame, 24, 8) > 200 and level(frame, 8, 8) < 50  # top left went to the top right


@pytest.mark.parametrize(("content", "reason"), [(None, "no such file"), (b"", "decoded"), (b"text", "decoded")])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExampleError, match=rf"broken\.mp4.*{reason}"):
        VideoFile(path, 4).frames()


def test_a_still_without_a_video_track_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ExampleError, match="no video track"):
        VideoFile(tmp_path / "a.wav", 4).frames()


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependency, match=r"evalsuite\[torch\]"):
        VideoFile(tmp_path / "a.mp4", 4).frames()


class GreyClip:
    """A clip object that remembers which frames were drawn."""

    def __init__(self, total: int) -> None:
        self.frame_total, self.drawn = total, list[int]()

    def frame(self, index: int) -> Image.Image:
        self.drawn.append(index)
        return Image.new("L", (32, 32), index)


def test_a_clip_object_draws_each_shown_frame_once() -> None:
    clip = GreyClip(25)
    visual = ClipVisual(clip, 5, 10)
    assert visual.frame_count == 5 and clip.drawn == []
    assert [frame.getpixel((0, 0)) for frame in visual.frames()] == [(x, x, x) for x in (0, 10, 20, 0, 10)]
    assert sorted(clip.drawn) == [0, 10, 20]


def test_an_empty_clip_object_is_an_example_error() -> None:
    with pytest.raises(ExampleError, match="no frames"):
        ClipVisual(GreyClip(0), 5).frames()


def test_reading_stops_after_the_last_wanted_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []

    def counting(path: str, **options: Any) -> Any:
        container = av.open(path, **options)

        class Counted:
            streams = container.streams

            def __enter__(self) -> Counted:
                return self

            def __exit__(self, *_: object) -> None:
                container.close()

            def decode(self, stream: Any) -> Iterator[Any]:
                for frame in container.decode(stream):
                    decoded.append(len(decoded))
                    yield frame

        return Counted()

    monkeypatch.setattr(video, "require_av", lambda: SimpleNamespace(open=counting))
    assert shown(VideoFile(write_clip(tmp_path / "a.mp4"), 3, 4).frames()) == [0, 40, 80]
    assert len(decoded) == 9
