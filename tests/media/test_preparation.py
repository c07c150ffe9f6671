"""Pixels for models: the kernels of tf.image.resize, written out as weight matrices, and what follows the resize."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from evalsuite.media.images import ImageBytes
from evalsuite.media.preparation import prepare_frames, request_frames, resize, to_unit_range
from evalsuite.types import Decoding, ExampleKey, ImagePreparation, Request

Matrix = NDArray[np.float64]


def triangle_weights(source: int, target: int, antialias: bool) -> Matrix:
    """Weight of each source pixel for each target pixel, (target, source), from the definition of the kernel."""
    scale = source / target
    reach = max(scale, 1.0) if antialias else 1.0
    weights = np.zeros((target, source))
    for place in range(target):
        centre = (place + 0.5) * scale
        for pixel in range(source):
            weights[place, pixel] = max(0.0, 1 - abs(pixel + 0.5 - centre) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def expected(image: Image.Image, height: int, width: int, antialias: bool) -> Matrix:
    pixels = np.asarray(image, dtype=np.float64)
    rows = triangle_weights(image.height, height, antialias)
    columns = triangle_weights(image.width, width, antialias)
    resized: Matrix = np.einsum("yh,xw,hwc->yxc", rows, columns, pixels, optimize=True)
    return resized


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


SIZES = [(50, 37, 14, 14), (9, 7, 14, 28), (31, 64, 31, 20), (14, 100, 28, 14), (3, 1, 5, 5), (640, 480, 224, 224)]


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize(("width", "height", "high", "wide"), SIZES)
def test_the_resize_equals_the_kernel_written_out(
    width: int, height: int, high: int, wide: int, antialias: bool
) -> None:
    image = noise(width, height)
    got = resize(image, high, wide, antialias=antialias)
    assert got.shape == (high, wide, 3) and got.dtype == np.float32
    # float32 places of the kernel without antialiasing, as TensorFlow has them, differ by up to 1e-5 pixels
    np.testing.assert_allclose(got, expected(image, high, wide, antialias), atol=2e-3 if antialias else 3e-2)


def test_antialiasing_averages_and_its_absence_picks() -> None:
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8)[None, :, None], (8, 32, 3)))
    smooth = resize(stripes, 8, 4, antialias=True)
    picked = resize(stripes.crop((0, 0, 60, 8)), 8, 4, antialias=False)
    assert abs(smooth.mean() - 127.5) < 1 and smooth.std() < 10
    assert set(picked[0, :, 0].tolist()) <= {0.0, 255.0}


def test_values_are_cut_to_uint8_not_rounded() -> None:
    image = Image.fromarray(np.array([[[0] * 3, [255] * 3]], dtype=np.uint8))
    exact = resize(image, 1, 4, antialias=True)[0, :, 0]
    cut = prepare_frames([image], 4, ImagePreparation())[0, 0, :, 0]
    assert exact.tolist() == [0, 63.75, 191.25, 255] and cut.tolist() == [0, 63, 191, 255]


@pytest.mark.parametrize("level", [0, 1, 77, 200, 254, 255])
@pytest.mark.parametrize("antialias", [True, False])
def test_a_plain_surface_keeps_its_level(level: int, antialias: bool) -> None:
    """Cutting must not turn a rounding error of 1e-6 into a whole level."""
    image = Image.new("RGB", (97, 61), (level,) * 3)
    assert np.unique(prepare_frames([image], 28, ImagePreparation(antialias=antialias))).tolist() == [level]


def test_without_truncation_frames_stay_float() -> None:
    frames = prepare_frames([noise(20, 10), noise(20, 10, 1)], 14, ImagePreparation(truncate=False))
    assert frames.shape == (2, 14, 14, 3) and frames.dtype == np.float32
    assert frames.min() >= 0 and frames.max() <= 255 and (frames % 1 != 0).any()


@pytest.mark.parametrize("resizing", ["stretch", "pad"])
def test_an_image_of_the_right_size_passes_unchanged(resizing: str) -> None:
    image = noise(28, 28)
    prepared = prepare_frames([image], 28, ImagePreparation(resize=resizing))
    assert prepared[0].tobytes() == image.tobytes()


def test_padding_keeps_the_aspect_ratio_and_centres_on_white() -> None:
    prepared = prepare_frames([Image.new("RGB", (40, 20))], 16, ImagePreparation(resize="pad"))[0]
    assert (prepared[:4] == 255).all() and (prepared[4:12] == 0).all() and (prepared[12:] == 255).all()


def test_padding_never_loses_a_sliver() -> None:
    prepared = prepare_frames([Image.new("RGB", (1000, 2))], 16, ImagePreparation(resize="pad"))[0]
    assert (prepared[:, :, 0] == 0).sum() == 16


def test_the_unit_range_runs_from_minus_one_to_one() -> None:
    pixels = np.array([0, 51, 255], dtype=np.uint8)
    unit = to_unit_range(pixels)
    assert unit.dtype == np.float32 and pixels.tolist() == [0, 51, 255]
    np.testing.assert_allclose(unit, [-1, -0.6, 1], atol=1e-7)
    assert np.array_equal(to_unit_range(pixels.astype(np.float32)), unit)


def test_no_frames_give_an_empty_array() -> None:
    assert prepare_frames([], 14, ImagePreparation()).shape == (0, 14, 14, 3)


def test_an_outline_is_red_and_one_pixel_wide_at_every_resolution() -> None:
    """Drawn after the resize, as WidgetCap's images were: the box does not shrink with the picture."""
    preparation = ImagePreparation(outline=(0.25, 0.5, 0.75, 1.0))
    for side in (8, 64):
        (picture,) = prepare_frames([Image.new("RGB", (300, 200), "white")], side, preparation)
        red = (picture == (255, 0, 0)).all(axis=-1)
        left, top, right, bottom = (int(share * (side - 1)) for share in preparation.outline or ())
        assert red[top, left : right + 1].all() and red[bottom, left : right + 1].all()
        assert red[top : bottom + 1, left].all() and red[top : bottom + 1, right].all()
        assert red.sum() == 2 * (right - left + 1) + 2 * (bottom - top - 1)


def test_an_outline_beyond_the_picture_is_cut_off_and_one_outside_is_not_drawn() -> None:
    white = Image.new("RGB", (10, 10), "white")
    (cut,) = prepare_frames([white], 10, ImagePreparation(outline=(0.5, 0.5, 2.0, 2.0)))
    red = (cut == (255, 0, 0)).all(axis=-1)
    assert red[4, 4:].all() and red[4:, 4].all() and red.sum() == 11
    (plain,) = prepare_frames([white], 10, ImagePreparation(outline=(1.5, 0.0, 2.0, 1.0)))
    assert (plain == 255).all()


def test_models_with_their_own_preparation_see_the_outline_too() -> None:
    key = ExampleKey("t", "s", "0")
    visual = ImageBytes(encoded(Image.new("RGB", (448, 448), "white")))
    preparation = ImagePreparation(outline=(0.0, 0.0, 0.5, 0.5))
    (frame,) = request_frames(Request(key, "?", (visual,), Decoding(1), preparation))
    assert frame.getpixel((0, 0)) == frame.getpixel((1, 100)) == (255, 0, 0)
    assert frame.getpixel((2, 100)) == (255, 255, 255)


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
