"""Broken, odd and hostile files and values in data sets: each is reported by its id, and scores count them."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]
PICTURES = {"id": "id", "images": ["image"], "references": "answer", "values": {"question": "question"}}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: int, pixels: bytes, *more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def draw(folder: Path) -> tuple[set[str], set[str]]:
    """Write pictures; the names of those that can be read, and of those that cannot."""
    folder.mkdir(parents=True)
    plain = Image.new("RGB", (64, 48), (200, 10, 10))
    frames = [Image.new("RGB", (64, 48), (n, n, n)) for n in range(5)]
    plain.save(folder / "plain.jpg")
    plain.save(folder / "plain.png")
    Image.fromarray(np.full((48, 64), 40_000, np.uint16)).save(folder / "deep.png")
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(folder / "nan.tif")
    Image.new("CMYK", (64, 48), (10, 20, 30, 40)).save(folder / "cmyk.jpg")
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "animated.webp", save_all=True, append_images=frames[1:])
    plain.save(
        folder / "exif.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" * 5000
    )
    plain.save(
        folder / "exif-loop.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
    )
    plain.resize((20_000, 1)).save(folder / "line.png")
    readable = {path.name for path in folder.iterdir()}
    whole = (folder / "plain.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.png").write_bytes((folder / "plain.png").read_bytes()[:60])
    (folder / "empty.jpg").touch()
    (folder / "noise.png").write_bytes(bytes(range(256)) * 8)
    (folder / "page.jpg").write_text("<html>404 Not Found</html>")
    (folder / "bomb.png").write_bytes(png(100_000, b"\0" * 1_000_000))
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 100_000_000))
    (folder / "text-bomb.png").write_bytes(png(8, (b"\0" + b"\1" * 24) * 8, text))
    (folder / "folder.jpg").mkdir()
    os.symlink("loop.jpg", folder / "loop.jpg")
    os.mkfifo(folder / "pipe.jpg")
    broken = {path.name for path in folder.iterdir()} - readable
    return readable, broken | {"absent.jpg"}


@pytest.fixture
def words(tmp_path: Path) -> Callable[..., list[str | Path]]:
    def build(out: str, *more: str) -> list[str | Path]:
        words: list[str | Path] = ["run", "--backend", "echo", "--option", "decode_images=true", "--tasks", "own"]
        words += ["--specs", tmp_path / "specs", "--data", "files", "--data-dir", tmp_path / "data"]
        return [*words, "--out", tmp_path / out, "--quiet", "--time-limit", "1", *more]

    return build


def failed(out: Path) -> dict[str, str]:
    with sqlite3.connect(f"file:{out / 'predictions.sqlite'}?mode=ro", uri=True) as db:
        return dict(db.execute("SELECT id, error FROM predictions WHERE error IS NOT NULL"))


def test_pictures_that_cannot_be_read_are_named_and_counted_and_the_others_answered(
    own_task: Callable[..., Path], evalsuite: Run, words: Callable[..., list[str | Path]], tmp_path: Path
) -> None:
    readable, broken = draw(tmp_path / "data" / "own" / "images")
    rows = [{"id": name, "image": name, "question": "q", "answer": ""} for name in sorted(readable | broken)]
    own_task(rows, fields=PICTURES)
    done = evalsuite(*words("out", "--max-errors", "20"))
    assert done.returncode == 0, done.stderr
    assert failed(tmp_path / "out").keys() == broken
    assert f"{len(broken)} of {len(rows)} examples of split test failed" in done.stderr
    (row,) = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (row["n"], row["errors"]) == (len(rows), len(broken))
    stopped = evalsuite(*words("stopped", "--on-error", "stop"))
    assert stopped.returncode == 1 and "Nothing was asked (--on-error stop)." in stopped.stderr
    assert all(f"own/test/{name}: " in stopped.stderr for name in broken)
    assert not (tmp_path / "stopped").exists()


VALUES: dict[str, Any] = {
    "twice": {"id": "good"},
    "position-2": {"id": None},
    "position-3": {"id": ""},
    "position-4": {"id": ["a", "list"]},
    "a list": {"question": ["a", 1]},
    "an object": {"question": {"a": 1}},
    "not a number": {"question": float("nan")},
    "no answer": {"answer": None},
    "a null among answers": {"answer": ["a", None]},
    "a box with NaN": {"answer": [[1.0, 2.0, float("nan"), 4.0]]},
    "an infinite box": {"answer": [{"box": [1, 2, 3, float("inf")]}]},
}
FINE: dict[str, Any] = {
    "a number": {"question": 3.5, "answer": 17},
    "a megabyte": {"question": "word " * 200_000},
    "planes": {"question": "".join(chr(plane * 0x10000 + 0x1234) for plane in range(17))},
    "right to left": {"question": "\u202e\u0301 \u0000 \r\n", "answer": "\u202e"},
    "half a character": {"question": "\udfff", "answer": "\ud800"},
    "id \U0001f600\U0010ffff \n": {},
    "1": {},
    "true": {"id": True},
}


def test_values_that_cannot_be_used_are_named_and_odd_ones_are_asked(
    own_task: Callable[..., Path], evalsuite: Run, words: Callable[..., list[str | Path]], tmp_path: Path
) -> None:
    plain = {"question": "q", "answer": "a"}
    rows = [{"id": "good", **plain}, *({"id": name, **plain, **change} for name, change in {**VALUES, **FINE}.items())]
    rows.append({"id": 1, **plain})  # the text "1" is there already
    rows.append(plain)
    own_task(rows)
    done = evalsuite(*words("out", "--max-errors", "50"))
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    expected = {
        "good#1",
        *(name for name in VALUES if name != "twice"),
        f"1#{len(rows) - 2}",
        f"position-{len(rows) - 1}",
    }
    assert failed(tmp_path / "out").keys() == expected
    (row,) = json.loads((tmp_path / "out" / "results.json").read_text())
    without_references = 4
    assert (row["n"], row["errors"]) == (len(rows) - without_references, len(expected))
    stopped = evalsuite(*words("stopped", "--on-error", "stop"))
    assert stopped.returncode == 1 and "own/test/a box with NaN: field 'references'" in stopped.stderr
    assert "own/test/good: the id occurs twice in the data, again at position 1" in stopped.stderr


def test_data_without_a_fault_passes_the_strict_policy(
    own_task: Callable[..., Path], evalsuite: Run, words: Callable[..., list[str | Path]], tmp_path: Path
) -> None:
    own_task([{"id": str(n), "question": "q", "answer": "a"} for n in range(8)])
    assert evalsuite(*words("out", "--on-error", "stop")).returncode == 0
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["run"]["max_errors"] == "0"


def test_clips_whose_headers_lie_give_the_frames_they_have(
    own_task: Callable[..., Path], evalsuite: Run, words: Callable[..., list[str | Path]], tmp_path: Path
) -> None:
    av = pytest.importorskip("av")
    folder = tmp_path / "data" / "own" / "images"
    folder.mkdir(parents=True)
    for name, frames in (("long.avi", 30), ("one.avi", 1)):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for n in range(frames):
                picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), n, np.uint8), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
    whole = bytearray((folder / "long.avi").read_bytes())
    (folder / "cut.avi").write_bytes(whole[:300])
    (folder / "empty.avi").touch()
    for header, place in ((b"avih", 24), (b"strh", 40)):  # frames in all, as the file and as the track say
        at = whole.find(header) + place
        whole[at : at + 4] = (10**9).to_bytes(4, "little")
    (folder / "lying.avi").write_bytes(whole)
    names = sorted(path.name for path in folder.iterdir())
    own_task(
        [{"id": name, "video": name, "question": "q", "answer": "a"} for name in [*names, "absent.avi"]],
        fields={"id": "id", "video": "video", "references": "answer", "values": {"question": "question"}},
        image={"frames": 8, "stride": 2},
    )
    done = evalsuite(*words("out", "--max-errors", "5"))
    assert done.returncode == 0, done.stderr
    assert failed(tmp_path / "out").keys() == {"cut.avi", "empty.avi", "absent.avi"}
