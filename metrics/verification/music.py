"""Golden files of the music error rates (SMT)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.metrics.music.kern import KernErrorRates, full_page_tokens, kern_text, system_tokens
from evalsuite.metrics.verification import Comparison, Line, is_error

_UNITS = ("cer", "ser", "ler")


def kern_error_rates(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Corpus rates of both revisions, and the sums behind them."""
    for line in lines:
        yield line, [] if is_error(line["expected"]) else _rates(line["inputs"], line["expected"])


def kern_preprocess(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Preparation of the references, of one system and of whole pages in three encodings: tokens, and their text."""
    for line in lines:
        kern, expected = line["inputs"]["kern"], line["expected"]
        tokens = {encoding: full_page_tokens(kern, encoding) for encoding in ("kern", "ekern", "bekern")}
        ours: dict[str, Any] = {f"parse_kern_{encoding}": found for encoding, found in tokens.items()}
        ours |= {f"text_{encoding}": kern_text(found) for encoding, found in tokens.items()}
        ours |= {"system_tokens": system_tokens(kern), "system_text": kern_text(system_tokens(kern))}
        comparable = [what for what in ours if what in expected and not is_error(expected[what])]
        yield line, [Comparison(what, ours[what], expected[what]) for what in comparable]


def _rates(inputs: dict[str, Any], expected: dict[str, Any]) -> list[Comparison]:
    comparisons = []
    pairs = list(zip(inputs["preds"], inputs["refs"], strict=False))  # the official code cuts to the shorter list
    predictions, references = [p for p, _ in pairs], [[r] for _, r in pairs]
    for variant, ending in (("current", ""), ("2024", "_2024")):
        metric = KernErrorRates(variant=variant)
        values = metric.score(predictions, references)
        rows = metric.batch_statistics(predictions, references)
        counts = expected.get(f"counts{ending}", {})
        for place, unit in enumerate(_UNITS):
            if f"{unit}{ending}" in expected:
                comparisons.append(Comparison(unit + ending, values[unit], expected[unit + ending]))
            for column, kind in ((2 * place, "edits"), (2 * place + 1, "ref_len")):
                if kind in counts.get(unit, {}):
                    official = [float(count) for count in counts[unit][kind]]
                    comparisons.append(Comparison(f"{unit}{ending} {kind}", rows[:, column].tolist(), official, 0.0))
    return comparisons
