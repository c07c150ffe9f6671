"""Images and clips from a stranger."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from evalsuite.errors import ExampleError
from evalsuite.media.images import FORMATS, ImageBytes, ImageFile
from evalsuite.media.video import VideoBytes, VideoFile

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(owned) (w) file closefile\nshowpage\n"


def test_no_other_program_is_started_for_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow hands PostScript to Ghostscript, whatever the ending of the file is."""

    def started(*arguments: object, **settings: object) -> None:
        raise AssertionError(f"a program was started: {arguments}")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(subprocess, "check_call", started)
    (tmp_path / "a.png").write_bytes(EPS)
    for visual in (ImageFile(tmp_path / "a.png"), ImageBytes(EPS)):
        with pytest.raises(ExampleError, match="cannot be read"):
            visual.frames()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM"])
def test_the_formats_of_data_sets_are_read(format: str) -> None:
    assert format in FORMATS
    buffer = BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, format)
    assert ImageBytes(buffer.getvalue()).frames()[0].size == (8, 8)


def _bomb() -> bytes:
    """A PNG whose header claims 60,000 x 60,000 pixels."""
    buffer = BytesIO()
    Image.new("1", (8, 8)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("data", [_bomb(), b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\xff" * 50, b"\xff\xd8\xff" * 100])
def test_bombs_and_broken_images_are_errors_of_their_example(data: bytes) -> None:
    with pytest.raises(ExampleError):
        ImageBytes(data).frames()


class TestPlaylists:
    """A playlist is a video that lies elsewhere: in another file, or at a web address."""

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        av = pytest.importorskip("av")
        path = tmp_path / "secret.ts"
        with av.open(str(path), "w", format="mpegts") as container:
            stream = container.add_stream("mpeg2video", rate=25, width=64, height=64, pix_fmt="yuv420p")
            for _ in range(10):
                container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 64), "red"))))
            container.mux(stream.encode(None))
        return path

    def playlists(self, secret: Path) -> dict[str, str]:
        return {
            "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{secret}\n#EXT-X-ENDLIST\n",
            "b.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{secret}\n#EXT-X-ENDLIST\n",
            "c.ffconcat": f"ffconcat version 1.0\nfile {secret.name}\n",
            "d.mp4": f"ffconcat version 1.0\nfile {secret.name}\n",
        }

    def test_the_clip_itself_can_be_read(self, secret: Path) -> None:
        assert len(VideoFile(secret, 2).frames()) == 2

    def test_playlists_are_not_followed(self, secret: Path) -> None:
        for name, text in self.playlists(secret).items():
            (secret.parent / name).write_text(text)
            for visual in (VideoFile(secret.parent / name, 2), VideoBytes(text.encode(), name, 2)):
                with pytest.raises(ExampleError, match="cannot be decoded"):
                    visual.frames()

    def test_the_library_alone_would_follow_one(self, secret: Path) -> None:
        """What the test above is worth: without our limits the segment is opened."""
        import av

        (secret.parent / "c.ffconcat").write_text(self.playlists(secret)["c.ffconcat"])
        with av.open(str(secret.parent / "c.ffconcat")) as container:
            assert len(list(container.decode(video=0))) == 10
