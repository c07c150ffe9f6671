"""Music transcription: 7,661 scores of 486 characters on average (GrandStaff's official test split)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from evalsuite.metrics.music.kern import KernErrorRates

SCORES = 7661
MEAN_CHARACTERS = 486
OFFICIAL_FRACTION = 0.01


def workloads(scale: float = 1.0) -> Iterator[tuple[str, Callable[[], object], Callable[[], object], float]]:
    """(label, ours, official restated, share of the workload that the official one runs)."""
    references = make_scores(max(1, round(SCORES * scale)))
    predictions = [corrupted(reference, random.Random(place)) for place, reference in enumerate(references)]
    sample = slice(0, max(1, round(len(references) * OFFICIAL_FRACTION)))
    fraction = len(references[sample]) / len(references)
    label = f"kern CER + SER + LER, {len(references):,} scores (official on {fraction:.1%})"
    yield (
        label,
        lambda: KernErrorRates().score(predictions, [[reference] for reference in references]),
        lambda: restated_official(predictions[sample], references[sample]),
        fraction,
    )


def make_scores(count: int) -> list[str]:
    """Two voices of random events, with lengths spread about MEAN_CHARACTERS as in short excerpts."""
    return [score(random.Random(seed)) for seed in range(count)]


def score(source: random.Random) -> str:
    lines = ["**kern\t**kern", "*clefF4\t*clefG2", "*k[b-e-]\t*k[b-e-]", "*M3/4\t*M3/4", "=\t="]
    length = source.gammavariate(4, MEAN_CHARACTERS / 4 - 4)
    while sum(map(len, lines)) + len(lines) < length:
        lines.append("=\t=" if source.random() < 0.15 else f"{event(source)}\t{event(source)}")
    return "\n".join([*lines, "==\t==", "*-\t*-"])


def event(source: random.Random) -> str:
    kind = source.random()
    if kind < 0.25:
        return "."
    return " ".join(note(source) for _ in range(1 if kind < 0.75 else source.randint(2, 4)))


def note(source: random.Random) -> str:
    pitch = source.choice("abcdefg") * source.randint(1, 2)
    pitch = pitch.upper() if source.random() < 0.4 else pitch
    accidental = source.choice(["", "", "", "-", "#", "n"])
    return f"{source.choice([2, 4, 8, 8, 16])}{pitch}{accidental}{source.choice(['', '', 'L', 'J', 'k'])}"


def corrupted(text: str, source: random.Random) -> str:
    """About 4 % of the characters deleted, doubled or replaced."""
    kept = []
    for character in text:
        kind = source.random()
        kept.append("" if kind < 0.013 else character * 2 if kind < 0.026 else "x" if kind < 0.04 else character)
    return "".join(kept)


def restated_official(predictions: Sequence[str], references: Sequence[str]) -> list[float]:
    """The rates as the official program computes them: a Levenshtein distance in pure Python per unit and score."""
    rates = []
    for units in (list, official_symbols, lambda text: text.split("\n")):
        edits = total = 0
        for prediction, reference in zip(predictions, references, strict=True):
            tokens: list[str] = units(reference)
            edits += levenshtein(units(prediction), tokens)
            total += len(tokens)
        rates.append(100.0 * edits / total)
    return rates


def official_symbols(text: str) -> list[str]:
    return text.replace("\n", " <b> ").replace("\t", " <t> ").split(" ")


def levenshtein(first: Sequence[Any], second: Sequence[Any]) -> int:
    """The textbook table, row by row."""
    previous = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        current = [i]
        for j, b in enumerate(second, 1):
            current.append(min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a != b)))
        previous = current
    return previous[-1]
