"""What references and answers say about places in an image, as shapes to draw over it. Told by their form alone."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalsuite.errors import EvalsuiteError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

MOST_SHAPES = 400
LONGEST_LABEL = 40
_MASK_TOKENS = re.compile(r"<seg\d*>?")
COLOURS = 6
OUTLINE = -1
"""Colour of the red box that the model sees too; the others are numbers below COLOURS."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A shape in pixels of the image: a polygon (a box is one), or a mask of the whole image.

    points: corners. mask: shape (h, w); ``points`` is then empty. label: text to print at its upper left corner.
    filled: whether its inside is tinted. dashed: said by an answer, not by a reference.
    """

    points: tuple[tuple[float, float], ...]
    colour: int = 0
    label: str = ""
    filled: bool = False
    mask: Mask | None = None
    dashed: bool = False

    @property
    def path(self) -> str:
        """The corners as SVG writes them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)

    @property
    def corner(self) -> tuple[float, float]:
        """Where the label goes."""
        return min(x for x, _ in self.points), min(y for _, y in self.points)


def outline_shape(outline: Sequence[float], size: tuple[int, int]) -> Shape:
    """The box that is drawn on the image after the resize; ``outline`` in shares, ``size`` [height, width]."""
    height, width = size
    left, top, right, bottom = outline
    return _box([left * width, top * height, (right - left) * width, (bottom - top) * height], OUTLINE)


def reference_shapes(references: Sequence[Any], size: tuple[int, int]) -> list[Shape]:
    """Boxes, polygons and masks in references, at most MOST_SHAPES; none where they are of another form or damaged.

    Known forms: ``{mask, box_xywh | box_yxyx}`` (referring segmentation), ``{objects: [{bbox, category}]}``
    (detection), ``{words: [{vertices, text}]}`` (text spotting). size: height and width of the image.
    """
    found: list[Shape] = []
    for reference in references:
        if isinstance(reference, Mapping):
            try:
                found += _shapes(reference, size)
            except (TypeError, ValueError, KeyError, AttributeError, EvalsuiteError):
                continue
    return found[:MOST_SHAPES]


def answer_shapes(
    text: str, size: tuple[int, int], colour: int = 2, *, box_scale: int = 1023, text_first: bool = False
) -> list[Shape]:
    """Boxes and outlines in an answer, dashed: PaliGemma's location tokens, or a JSON list; none in any other text.

    size: height and width of the image. box_scale: location token of the far border. text_first: texts precede boxes.
    """
    from evalsuite.metrics.boxes.written import parse_json_list, parse_located_texts

    listed = parse_json_list(text)
    if listed is not None:
        items = [item for item in listed[0] if isinstance(item, Mapping)]
        found = reference_shapes([{kind: [item]} for kind in ("objects", "words") for item in items], size)
        return [dataclasses.replace(shape, colour=colour, dashed=True) for shape in found]
    found = []
    for located in parse_located_texts(text, text_first=text_first)[0][:MOST_SHAPES]:
        shares = [value / box_scale for value in located.box]
        (box,) = reference_shapes([{"box_yxyx": shares}], size)
        label = _MASK_TOKENS.sub("", located.text).strip()[:LONGEST_LABEL]
        found.append(dataclasses.replace(box, colour=colour, label=label, dashed=True))
    return found


def stated_size(reference: Any) -> tuple[int, int] | None:
    """The [height, width] that a reference gives for its image, None where it gives none."""
    if not isinstance(reference, Mapping):
        return None
    mask = reference.get("mask")
    size = (mask if isinstance(mask, Mapping) else reference).get("size")
    try:
        height, width = _numbers(size, 2)
    except (TypeError, ValueError):
        return None
    return int(height), int(width)


def _shapes(reference: Mapping[str, Any], size: tuple[int, int]) -> Iterator[Shape]:
    height, width = size
    if isinstance(reference.get("mask"), Mapping):
        yield from _mask(reference["mask"])
    if "box_xywh" in reference:
        yield _box(_numbers(reference["box_xywh"], 4), 1)
    if "box_yxyx" in reference:
        top, left, bottom, right = _numbers(reference["box_yxyx"], 4)
        yield _box([left * width, top * height, (right - left) * width, (bottom - top) * height], 1)
    categories: dict[str, int] = {}
    for one in reference.get("objects", ()):
        label = str(one["category"])
        colour = categories.setdefault(label, len(categories) % COLOURS)
        yield _box(_numbers(one["bbox"], 4), colour, label + (" (crowd)" if one.get("iscrowd") else ""))
    for word in reference.get("words", ()):
        readable = word.get("legible", True)
        points = tuple((x, y) for x, y in (_numbers(point, 2) for point in word["vertices"]))
        yield Shape(points, 0 if readable else 3, str(word.get("text") or "") if readable else "(illegible)")


def _mask(mask: Mapping[str, Any]) -> Iterator[Shape]:
    if "polygons" in mask:
        for polygon in mask["polygons"]:
            numbers = _numbers(polygon, len(polygon))
            yield Shape(tuple(zip(numbers[::2], numbers[1::2], strict=True)), 0, filled=True)
    else:
        from evalsuite.metrics.boxes.masks import read_mask

        yield Shape((), 0, mask=read_mask(mask))


def _box(box: Sequence[float], colour: int, label: str = "") -> Shape:
    """A box [x, y, width, height]."""
    x, y, width, height = box
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    return Shape(corners, colour, label)


def _numbers(values: Any, count: int) -> list[float]:
    numbers = [float(value) for value in values]
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"{count} finite numbers are needed")
    return numbers
