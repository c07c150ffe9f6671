"""Caption metrics and their tokenizer against coco-caption (pycocoevalcap).

Lines of the metrics: ``inputs.images = [{id, references, predictions}]``, ``inputs.tokenize``; ``expected.corpus`` and
``expected.per_image``. Images that the official programs refuse (not one prediction each) are error entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evalsuite.metrics.base import Array
from evalsuite.metrics.captions.bleu import Bleu
from evalsuite.metrics.captions.cider import Cider
from evalsuite.metrics.captions.corpus import CaptionMetric
from evalsuite.metrics.captions.java import Meteor
from evalsuite.metrics.captions.ptb_tokenizer import tokenize, tokenize_corpus
from evalsuite.metrics.captions.rouge import RougeL
from evalsuite.metrics.verification import Comparison, Line, is_error

Found = Iterator[tuple[Line, list[Comparison]]]

# Categories of tokenizer lines that were written to find rules; the rest are captions that people wrote.
PROBES = {"abbrev", "ascii_punct", "brackets", "contractions", "control", "currency", "dashes", "ellipsis"}
PROBES |= {"emoji_symbols", "fuzz", "linebreak", "numbers", "quotes", "unicode_chars", "urls", "whitespace"}
LINE_ENDS = set("\r\x0b\x0c\u2028\u2029")


class Captions(NamedTuple):
    """What a metric gets to see of a line."""

    predictions: list[str]
    references: list[list[str]]


def cider(lines: list[Line], folder: Path) -> Found:
    """CIDEr-D of the corpus and of every image within it."""
    return _mean_scores(Cider, lines)


def rouge_l(lines: list[Line], folder: Path) -> Found:
    """ROUGE-L of the corpus and of every image."""
    return _mean_scores(RougeL, lines)


def bleu(lines: list[Line], folder: Path) -> Found:
    """BLEU-1 to BLEU-4 of the corpus and of every image alone; near zero to 1e-12."""
    for line in lines:
        if is_error(line["expected"]):
            yield line, []
            continue
        captions = _captions(line)
        ready = Bleu(tokenize=line["inputs"]["tokenize"]).prepare(*captions)
        rows = ready.batch_statistics(*captions)
        corpus, each = ready.finalize(rows.sum(axis=0)), ready.finalize(rows)
        comparisons = []
        for place, value in enumerate(ready.values):
            official, images = line["expected"]["corpus"][place], line["expected"]["per_image"][place]
            comparisons.append(Comparison(value.name, float(corpus[value.name]), official, tolerance=1e-12))
            comparisons.append(Comparison(f"{value.name} per image", each[value.name].tolist(), images, 1e-12))
        yield line, comparisons


def meteor(lines: list[Line], folder: Path) -> Found:
    """METEOR of the corpus and of every image. Raises MissingDependency where the program cannot run.

    The program takes seconds to start: all captions of the file go through it at once.
    """
    compared = [line for line in lines if not is_error(line["expected"])]
    tokenized = [_tokenized(line) for line in compared]
    predictions = [prediction for captions in tokenized for prediction in captions.predictions]
    references = [group for captions in tokenized for group in captions.references]
    metric = Meteor(tokenize=False)
    rows: dict[str, Array] = {}
    if predictions:
        table = metric.prepare(predictions, references).batch_statistics(predictions, references)
        cuts = np.cumsum([len(captions.predictions) for captions in tokenized])[:-1]
        rows = {line["id"]: part for line, part in zip(compared, np.split(table, cuts), strict=True)}
    for line in lines:
        if line["id"] not in rows:
            yield line, []
            continue
        part, expected = rows[line["id"]], line["expected"]
        corpus, each = metric.finalize(part.sum(axis=0))["meteor"], metric.finalize(part)["meteor"]
        yield (
            line,
            [
                Comparison("corpus", float(corpus), expected["corpus"]),
                Comparison("per image", each.tolist(), expected["per_image"]),
            ],
        )


def ptb_tokenizer(lines: list[Line], folder: Path) -> Found:
    """Tokens of single captions, alone and before another one, and of whole calls. One comparison a line.

    Captions that people wrote must agree; of the lines that probe for rules, whole calls among them, a few may differ.
    """
    for line in lines:
        inputs, expected = line["inputs"], line["expected"]
        if is_error(expected):
            yield line, []
        elif inputs["kind"] == "batch":
            ours = _whole_call(inputs["captions_per_image"])
            yield line, [Comparison("tokenized", ours, expected["tokenized"], required=False)]
        else:
            official = {key: tokens for key, tokens in expected.items() if key in _FOLLOWING and _given(tokens)}
            tokens = {key: _string(inputs["text"], _FOLLOWING[key]) for key in official}
            yield line, [Comparison("tokens", tokens, official, required=inputs["category"] not in PROBES)]


_FOLLOWING = {"solo": None, "followed_by_lowercase_line": "zzz", "followed_by_The_line": "The zzz"}


def _given(tokens: str) -> bool:
    """A caption with a line end has no tokens of its own before another caption."""
    return not tokens.startswith("n/a:")


def _string(text: str, following: str | None) -> str:
    """The tokens of one caption of a call in which ``following`` is the next."""
    if LINE_ENDS.isdisjoint(text):
        return tokenize(text, following)
    return tokenize_corpus([text] if following is None else [text, following])[0]


def _whole_call(groups: list[list[str]]) -> list[list[str] | None]:
    """Tokens of a call, image by image; officially an image without captions is missing from the result."""
    tokens = iter(tokenize_corpus([caption for group in groups for caption in group]))
    return [[next(tokens) for _ in group] or None for group in groups]


def _mean_scores(metric: type[CaptionMetric], lines: list[Line]) -> Found:
    """Metrics whose statistics begin with the score of the image."""
    for line in lines:
        expected = line["expected"]
        if is_error(expected):
            yield line, []
            continue
        captions = _captions(line)
        ready = metric(tokenize=line["inputs"]["tokenize"]).prepare(*captions)
        rows = ready.batch_statistics(*captions)
        corpus = float(ready.finalize(rows.sum(axis=0))[ready.values[0].name])
        comparisons = [
            Comparison("corpus", corpus, expected["corpus"]),
            Comparison("per image", rows[:, 0].tolist(), expected["per_image"]),
        ]
        yield line, comparisons


def _captions(line: Line) -> Captions:
    images: list[dict[str, Any]] = line["inputs"]["images"]
    return Captions([image["predictions"][0] for image in images], [image["references"] for image in images])


def _tokenized(line: Line) -> Captions:
    """The captions as the official wrapper hands them to the scorer."""
    captions = _captions(line)
    if not line["inputs"]["tokenize"]:
        return captions
    tokens = iter(tokenize_corpus([reference for group in captions.references for reference in group]))
    references = [[next(tokens) for _ in group] for group in captions.references]
    return Captions(tokenize_corpus(captions.predictions), references)
