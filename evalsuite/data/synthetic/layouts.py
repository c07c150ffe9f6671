"""Pages as plain data: blocks of eleven kinds, one below the other, each with its place."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom

KINDS = (
    "Caption",
    "Footnote",
    "Formula",
    "List-item",
    "Page-footer",
    "Page-header",
    "Picture",
    "Section-header",
    "Table",
    "Text",
    "Title",
)
"""The classes of DocLayNet, in the order of their numbers, which begin at 1."""
_WORDS = ("the", "results", "of", "this", "year", "are", "shown", "below", "and", "will", "be", "discussed", "next")
_MIDDLE = ("Section-header", "Text", "Text", "List-item", "Table", "Picture", "Formula", "Caption")


@dataclass(frozen=True, slots=True)
class Block:
    """box: left, top, width, height in pixels; text: what is written, empty for pictures and tables."""

    kind: str
    box: tuple[float, float, float, float]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    blocks: tuple[Block, ...]
    text_scale: float = 1.0
    width: int = 1025
    height: int = 1025


def make_layout(rng: SeededRandom, text_scale: float = 1.0) -> Layout:
    """A page header, a title or section header, three to six blocks, a footnote or a footer."""
    kinds = ["Page-header", "Title", *(rng.choice(_MIDDLE) for _ in range(rng.integer(3, 6)))]
    kinds += rng.choice((["Footnote", "Page-footer"], ["Page-footer"]))
    top, blocks = 40.0, []
    for kind in kinds:
        high = {"Text": 120.0, "Table": 150.0, "Picture": 140.0, "Title": 50.0}.get(kind, 34.0)
        if kind in ("Footnote", "Page-footer") and top < 900:
            top = 930.0 if kind == "Footnote" and "Page-footer" in kinds else 975.0
        left = 90.0 + (30.0 if kind == "List-item" else 0.0)
        wide = rng.uniform(0.35, 0.6) if kind in ("Page-header", "Page-footer", "Formula", "Caption") else 0.82
        box = (left, top, round(wide * 1025, 1), high)
        blocks.append(Block(kind, box, "" if kind in ("Table", "Picture") else _sentence(rng, kind)))
        top += high + 14.0
    return Layout(tuple(block for block in blocks if block.box[1] + block.box[3] <= 1020), text_scale)


def _sentence(rng: SeededRandom, kind: str) -> str:
    count = {"Text": 40, "Title": 4, "Section-header": 3}.get(kind, 6)
    words = " ".join(rng.choice(_WORDS) for _ in range(count))
    marks = {
        "List-item": f"- {words}",
        "Formula": "a + b = c (1)",
        "Caption": f"Figure 1: {words}",
        "Footnote": f"1 {words}",
    }
    return marks.get(kind, words[0].upper() + words[1:])
