"""One example as a person sees it: what the model is asked, what is right, and the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalsuite.asking.requests import RequestBuilder
from evalsuite.data import BadExample
from evalsuite.errors import EvalsuiteError
from evalsuite.inspection.overlays import outline_shape, reference_shapes, stated_size
from evalsuite.inspection.pictures import Picture, picture
from evalsuite.inspection.references import ReferenceView, reference_views
from evalsuite.inspection.visible import printable, visible
from evalsuite.types import Example


@dataclass(frozen=True)
class ExampleView:
    """An example, ready to be printed.

    sizes: (height, width) of each image, of a clip's first frame. frames: frames of each of them, 1 for an image.
    pictures: its images, or the frames of its clips; empty when nobody asked for them.
    error: why it cannot be used, or "". caution: what is odd about it, or "".
    """

    id: str
    position: int
    prompt: str
    references: Sequence[ReferenceView]
    strata: Mapping[str, str]
    sizes: Sequence[tuple[int, int]] = ()
    frames: Sequence[int] = ()
    pictures: Sequence[Picture] = ()
    clip: bool = False
    error: str = ""
    caution: str = ""

    @property
    def media(self) -> str:
        """``640 x 480``, ``16 frames of 320 x 240``; width first, as people say it."""
        sizes = zip(self.sizes, self.frames, strict=True)
        return ", ".join(
            f"{width} x {height}" if frames == 1 else f"{frames} frames of {width} x {height}"
            for (height, width), frames in sizes
        )


def view_example(
    example: Example | BadExample, prompts: RequestBuilder, picture_bytes: int | None = None
) -> ExampleView:
    """Opens the example's media. picture_bytes: of its pictures together, about; None for none.

    What is wrong with the example is in the view: ``error``.
    """
    references = reference_views(example.references or ())
    identifier = printable(example.key.id)
    if isinstance(example, BadExample):
        error = printable(example.error)
        return ExampleView(identifier, example.position, "", references, example.strata, error=error)
    prompt = ""
    try:
        prompt = visible(prompts.prompt(example))
        opened = [visual.frames() for visual in example.visuals]
    except EvalsuiteError as error:
        message = printable(str(error))
        return ExampleView(identifier, example.position, prompt, references, example.strata, error=message)
    sizes = [(frames[0].height, frames[0].width) for frames in opened]
    pictures: list[Picture] = []
    count = sum(map(len, opened))
    for frames, size in zip(opened, sizes, strict=True) if picture_bytes else ():
        shapes = [] if example.outline is None else [outline_shape(example.outline, size)]
        if count == 1:
            shapes = [*reference_shapes(example.references, size), *shapes]
        pictures += [picture(frame, (picture_bytes or 0) // count, shapes, frame=len(frames) > 1) for frame in frames]
    return ExampleView(
        identifier,
        example.position,
        prompt,
        references,
        example.strata,
        sizes,
        [len(frames) for frames in opened],
        pictures,
        any(len(frames) > 1 for frames in opened),
        caution=_caution(example, sizes),
    )


def _caution(example: Example, sizes: Sequence[tuple[int, int]]) -> str:
    """References that give another size than the image has: their places would be wrong."""
    for reference in example.references if len(sizes) == 1 else ():
        stated = stated_size(reference)
        if stated is not None and stated != sizes[0]:
            return "its references are for {} x {} pixels (height x width), the image has {} x {}".format(
                *stated, *sizes[0]
            )
    return ""
