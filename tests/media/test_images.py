"""Stills: whatever a data set holds becomes upright 8-bit RGB, or an ExampleError that names the file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evalsuite.errors import ExampleError
from evalsuite.media import images
from evalsuite.media.images import ImageBytes, ImageFile, image_size, open_rgb
from evalsuite.types import Visual

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Top left, top right, bottom left, bottom right, each rounded to full colours."""
    width, height = image.size
    places = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)]
    pixels = np.asarray(image)
    return [tuple(255 * int(level > 127) for level in pixels[y, x]) for x, y in places]


def four_colours() -> Image.Image:
    """Red, green / blue, white: 32 wide, 16 high."""
    image = Image.new("RGB", (32, 16), WHITE)
    for colour, place in ((RED, (0, 0)), (GREEN, (16, 0)), (BLUE, (0, 8))):
        image.paste(colour, (*place, place[0] + 16, place[1] + 8))
    return image


def test_nothing_is_opened_before_the_frames_are_asked_for(tmp_path: Path) -> None:
    visual = ImageFile(tmp_path / "missing.png")
    assert isinstance(visual, Visual) and visual.frame_count == 1
    with pytest.raises(ExampleError, match=r"missing\.png: there is no such file"):
        visual.frames()


def test_a_file_and_its_bytes_give_the_same_pixels(tmp_path: Path) -> None:
    data = encoded(four_colours())
    path = tmp_path / "a.png"
    path.write_bytes(data)
    (from_file,), (from_bytes,) = ImageFile(path).frames(), ImageBytes(data).frames()
    assert from_file.mode == "RGB" and from_file.tobytes() == from_bytes.tobytes() == four_colours().tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_exif_orientation_is_undone(orientation: int, kind: str) -> None:
    stored = {1: [], 2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}[orientation]  # the inverse transposes
    image = four_colours()
    for method in stored:
        image = image.transpose(Image.Transpose(method))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, kind, exif=exif)
    assert corners(open_rgb(data)) == [RED, GREEN, BLUE, WHITE]
    assert image_size(data) == (16, 32)


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    clear.putpixel((1, 0), (*RED, 255))
    palette = clear.convert("P")
    grey = Image.new("LA", (1, 1), (0, 0))
    assert [open_rgb(encoded(clear)).getpixel((x, 0)) for x in (0, 1)] == [WHITE, RED]
    assert open_rgb(encoded(palette, transparency=palette.getpixel((0, 0)))).getpixel((0, 0)) == WHITE
    assert open_rgb(encoded(grey)).getpixel((0, 0)) == WHITE
    assert open_rgb(encoded(Image.new("RGB", (1, 1), RED), transparency=RED)).getpixel((0, 0)) == WHITE


@pytest.mark.parametrize(
    ("mode", "kind", "pixel", "expected"),
    [
        ("L", "PNG", 77, (77, 77, 77)),
        ("1", "PNG", 1, WHITE),
        ("P", "GIF", 0, (0, 0, 0)),
        ("CMYK", "TIFF", (0, 255, 255, 0), RED),
        ("F", "TIFF", 0.5, (128, 128, 128)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, kind: str, pixel: Any, expected: tuple[int, ...]) -> None:
    image = open_rgb(encoded(Image.new(mode, (3, 3), pixel), kind))
    assert image.mode == "RGB" and image.getpixel((1, 1)) == expected


def test_sixteen_bits_are_scaled_not_cut() -> None:
    values = np.array([[0, 257 * 200, 65535]], dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        image = open_rgb(encoded(Image.fromarray(values), kind))
        assert np.asarray(image)[0, :, 0].tolist() == [0, 200, 255]


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert open_rgb(data).getpixel((0, 0)) == RED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"not an image at all", "not an image"),
        (encoded(Image.effect_noise((64, 64), 50))[:900], "cannot be decoded"),
        (encoded(Image.effect_noise((64, 64), 50), "JPEG")[:900], "cannot be decoded"),
    ],
    ids=["empty", "text", "cut-png", "cut-jpeg"],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "broken.img"
    path.write_bytes(content)
    with pytest.raises(ExampleError, match=rf"broken\.img: {reason}"):
        open_rgb(path)


def test_a_folder_in_place_of_a_file_is_an_example_error(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match="cannot be decoded"):
        open_rgb(tmp_path)


def test_a_decompression_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 99)
    with pytest.raises(ExampleError, match="bomb: 10 x 10 pixels are more than 99"):
        open_rgb(ImageBytes(encoded(Image.new("L", (10, 10))), "bomb"))
    with pytest.raises(ExampleError, match="bomb"):
        image_size(ImageBytes(encoded(Image.new("L", (10, 10))), "bomb"))


def test_a_header_that_claims_more_pixels_than_memory_is_an_example_error() -> None:
    huge = bytearray(encoded(Image.new("L", (1, 1)), "BMP"))
    huge[18:26] = (60_000).to_bytes(4, "little") * 2
    with pytest.raises(ExampleError, match="decompression bomb"):
        open_rgb(bytes(huge))


def test_the_size_needs_the_header_alone() -> None:
    whole = encoded(Image.effect_noise((300, 200), 50), "JPEG")
    assert image_size(whole[:1000]) == (200, 300)


def test_the_size_of_any_visual_is_that_of_its_first_frame() -> None:
    class Drawn:
        frame_count = 1

        def frames(self) -> list[Image.Image]:
            return [Image.new("RGB", (5, 7))]

    assert image_size(Drawn()) == (7, 5)


def test_a_plain_jpeg_is_not_copied_after_decoding(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    four_colours().save(path)
    assert open_rgb(path).format == "JPEG"  # a converted copy would have no format
