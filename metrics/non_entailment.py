"""Non-entailment sentences (NES): human judgement of the sentences of long captions."""

from __future__ import annotations

import csv
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import DataError, ScoringError, UsageError, did_you_mean
from evalsuite.metrics.base import Answer, Array, Metric, Value, ratio
from evalsuite.metrics.caption_length import split_sentences
from evalsuite.metrics.side_files import describe_file, read_records, version_of

RATINGS = ("Entailment", "Neutral", "Contradiction", "Nothing to assess")
_COLUMNS = ("id", "number", "sentence")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")

RatedSentence = tuple[str, tuple[str, ...]]  # the sentence, one rating per rater


def majority(ratings: Sequence[str]) -> str | None:
    """The rating that more raters gave than any other; None for a tie (and for no rating).

    >>> majority(["Neutral", "Neutral", "Entailment"])
    'Neutral'
    """
    ranked = Counter(ratings).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def write_rating_sheet(path: str | Path, answers: Iterable[Answer], raters: int = 5) -> int:
    """Write a CSV sheet for raters: a row per sentence, an empty column ``rating_1`` … per rater. Returns the rows.

    Each cell under ``rating_*`` is to be one of ``RATINGS``. Cells that a spreadsheet would take for a formula get a
    leading apostrophe, which :func:`read_ratings` removes. Give every rater a copy of a sheet with ``raters=1``, or all
    of them one sheet; ``ratings`` of the metric takes a file or a folder of them.
    """
    rows = 0
    with open(path, "w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, *(f"rating_{rater}" for rater in range(1, raters + 1))])
        for answer in answers:
            for number, sentence in enumerate(split_sentences(answer.text), 1):
                writer.writerow([_safe_cell(answer.id), number, _safe_cell(sentence), *[""] * raters])
                rows += 1
    return rows


def read_ratings(path: str | Path) -> dict[str, list[RatedSentence]]:
    """Rated sentences of every example id, in the order of their numbers.

    path: a CSV sheet as :func:`write_rating_sheet` writes it (separated by comma, semicolon or tab), a JSONL or JSON
    file of records with ``id``, ``number``, ``sentence`` and ``ratings``, or a folder of such files, whose ratings of
    the same sentence are put together. An empty cell is no rating; upper and lower case do not matter.
    Raises DataError that names file and line.
    """
    votes: dict[tuple[str, int], list[str]] = {}
    sentences: dict[tuple[str, int], str] = {}
    for file in _files(Path(path)):
        for place, record in _sheet(file) if file.suffix == ".csv" else read_records(file, "id"):
            key, sentence, ratings = _row(place, record)
            if _squeezed(sentences.setdefault(key, sentence)) != _squeezed(sentence):
                raise DataError(f"{place}: sentence {key[1]} of {key[0]!r} has another text elsewhere")
            votes.setdefault(key, []).extend(ratings)
    found: dict[str, list[RatedSentence]] = {}
    for key in sorted(votes):
        found.setdefault(key[0], []).append((sentences[key], tuple(votes[key])))
    return found


_NON, _ENTAILED, _NOTHING, _TIE, _SENTENCES, _AGREEMENT, _COMPARED, _EMPTY, _COUNT = range(9)
_SHARES = slice(9, 9 + len(RATINGS))


def rating_statistics(ratings: Sequence[str]) -> Array:
    """Shape (13,): what one rated sentence adds to the sums of :class:`NonEntailment` (no answer is counted)."""
    row = np.zeros(_SHARES.stop)
    outcome = majority(ratings)
    row[{"Entailment": _ENTAILED, "Nothing to assess": _NOTHING, None: _TIE}.get(outcome, _NON)] = 1
    row[_SENTENCES] = 1
    if len(ratings) > 1:
        counts = np.array([ratings.count(rating) for rating in RATINGS], np.float64)
        row[_AGREEMENT] = (counts * (counts - 1)).sum() / (len(ratings) * (len(ratings) - 1))
        row[_COMPARED] = 1
        row[_SHARES] = counts / len(ratings)
    return row


@dataclass(frozen=True)
class NonEntailment(Metric):
    """Share of caption sentences that raters find not entailed by the image. In [0, 1], printed in percent.

    Every sentence is rated by several people as Entailment, Neutral, Contradiction or Nothing to assess; the rating
    given most often is the sentence's, and Neutral or Contradiction make it a non-entailment sentence. The two are put
    together after the vote, not before.

    - ``nes``: non-entailment sentences among all. ``nes_assessable``: among those whose rating is neither a tie nor
      Nothing to assess. The paper does not say which of the two it reports.
    - ``ties``, ``nothing_to_assess``: shares of all sentences.
    - ``agreement``: how often two raters of a sentence agree, mean over sentences with two or more ratings.
    - ``kappa``: Fleiss' kappa of the same sentences, in [-1, 1]: agreement beyond chance, where chance comes from the
      share of every rating; 1 where all ratings are the same.
    - ``empty``: share of answers without a sentence. Such an answer counts as one non-entailment sentence, so that
      silence is not the best caption.

    ratings: file or folder for :func:`read_ratings`; export a sheet with :func:`write_rating_sheet`. References are not
    used. PaliGemma 2, https://arxiv.org/abs/2412.03555, Table 6 and Appendix B.5 (five raters); there is no official
    code. Fleiss 1971, https://doi.org/10.1037/h0031619.
    """

    name: ClassVar[str] = "non_entailment"
    takes_answers: ClassVar[bool] = True
    values: ClassVar[tuple[Value, ...]] = (
        Value("nes", higher_is_better=False),
        Value("nes_assessable", higher_is_better=False),
        Value("ties", higher_is_better=False),
        Value("nothing_to_assess", higher_is_better=False),
        Value("agreement"),
        Value("kappa", unit="", scale=1.0, bounds=(-1.0, 1.0)),
        Value("empty", higher_is_better=False),
    )
    source: ClassVar[str] = "https://arxiv.org/abs/2412.03555"
    file_parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {"ratings": ()}

    ratings: str = ""

    def check(self) -> None:
        """Raises UsageError without ratings, DataError for a file that cannot be used."""
        if not self.ratings:
            raise UsageError(
                "metric non_entailment: give ratings, a sheet that people filled in; "
                "evalsuite.metrics.non_entailment.write_rating_sheet exports an empty one"
            )
        _read(_version(self.ratings))

    def parameters(self) -> dict[str, Any]:
        path = Path(self.ratings)
        described = ",".join(describe_file(str(file)) for file in _files(path)) if path.is_dir() else None
        return {"ratings": describe_file(self.ratings) if described is None or not self.ratings else described}

    def statistics(self, prediction: Answer, references: Sequence[Any] = ()) -> Array:
        """Shape (13,): sentences by outcome, agreement, answers. Raises ScoringError for an answer without ratings."""
        self.check()
        total = np.zeros(_SHARES.stop)
        total[_COUNT] = 1
        if not split_sentences(prediction.text):
            total[[_NON, _SENTENCES, _EMPTY]] = 1
            return total
        rated = _read(_version(self.ratings)).get(prediction.id)
        if rated is None:
            raise ScoringError(f"non_entailment: {self.ratings} has no ratings for the answer to {prediction.id!r}")
        if _squeezed("".join(sentence for sentence, _ in rated)) != _squeezed(prediction.text):
            raise ScoringError(
                f"non_entailment: the sentences rated for {prediction.id!r} are not those of its answer; rate it again"
            )
        for sentence, ratings in rated:
            if not ratings:
                raise ScoringError(f"non_entailment: nobody rated {sentence!r:.60} of {prediction.id!r}")
            total += rating_statistics(ratings)
        return total

    def finalize(self, total: Array) -> dict[str, Array]:
        sentences, compared = total[..., _SENTENCES], total[..., _COMPARED]
        agreement = ratio(total[..., _AGREEMENT], compared)
        chance = (ratio(total[..., _SHARES], compared[..., None]) ** 2).sum(axis=-1)
        return {
            "nes": ratio(total[..., _NON], sentences),
            "nes_assessable": ratio(total[..., _NON], total[..., _NON] + total[..., _ENTAILED]),
            "ties": ratio(total[..., _TIE], sentences),
            "nothing_to_assess": ratio(total[..., _NOTHING], sentences),
            "agreement": agreement,
            "kappa": np.where(np.isclose(chance, 1.0, atol=1e-12), 1.0, ratio(agreement - chance, 1.0 - chance)),
            "empty": ratio(total[..., _EMPTY], total[..., _COUNT]),
        }


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in (".csv", ".json", ".jsonl"))


def _version(path: str) -> tuple[str, tuple[tuple[str, int, int], ...]]:
    return path, tuple(version_of(str(file)) for file in _files(Path(path)))


@functools.lru_cache(4)
def _read(version: tuple[str, tuple[tuple[str, int, int], ...]]) -> dict[str, list[RatedSentence]]:
    return read_ratings(version[0])


def _sheet(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a CSV sheet as records with ``ratings``."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            header = lines.readline()
            lines.seek(0)
            reader = csv.DictReader(lines, delimiter=max(",;\t", key=header.count))
            columns = list(reader.fieldnames or [])
            raters = [column for column in columns if column.lower().startswith("rating")]
            if not raters or any(column not in columns for column in _COLUMNS):
                raise DataError(f"{file}: needs columns id, number, sentence and rating_1 …, has {', '.join(columns)}")
            for row in reader:
                record: dict[str, Any] = {column: _restored(row[column] or "") for column in _COLUMNS}
                yield f"{file}:{reader.line_num}", {**record, "ratings": [row[rater] or "" for rater in raters]}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {file}: {error}") from error


def _row(place: str, record: dict[str, Any]) -> tuple[tuple[str, int], str, list[str]]:
    try:
        key, sentence = (str(record["id"]), int(record["number"])), record["sentence"]
        cells = [str(rating).strip() for rating in record["ratings"]]
        if not isinstance(sentence, str) or isinstance(record["ratings"], str):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{place}: needs id, number (an integer), sentence and ratings") from None
    known = {rating.lower(): rating for rating in RATINGS}
    for cell in cells:
        if cell and cell.lower() not in known:
            raise DataError(f"{place}: {cell!r:.60} is no rating. {did_you_mean(cell, RATINGS)}")
    return key, sentence, [known[cell.lower()] for cell in cells if cell]


def _safe_cell(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _restored(cell: str) -> str:
    return cell.removeprefix("'")


def _squeezed(text: str) -> str:
    """What must be equal for a text to be the one that was rated: spreadsheets change white space and apostrophes."""
    return "".join(text.encode(errors="replace").decode().split()).replace("'", "")
