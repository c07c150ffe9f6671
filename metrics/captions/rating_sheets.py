"""Rating sheets: sentences of captions that people, or a judging model, rate one by one."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from evalsuite.errors import DataError, did_you_mean
from evalsuite.metrics.base import Answer
from evalsuite.metrics.captions.length import split_sentences
from evalsuite.metrics.shared.side_files import read_records

RATINGS = ("Entailment", "Neutral", "Contradiction", "Nothing to assess")
JUDGE = "rating_judge:"
"""What the name of a column begins with that holds the ratings of a model; its name follows."""

_COLUMNS = ("id", "number", "sentence")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")

RatedSentence = tuple[str, tuple[str, ...]]  # the sentence, one rating per rater
Place = tuple[str, int]  # id of the example, number of the sentence from 1


def write_rating_sheet(path: str | Path, answers: Iterable[Answer], raters: int = 5) -> int:
    """Write a CSV sheet for raters: a row per sentence, an empty column ``rating_1`` … per rater. Returns the rows.

    Each cell under ``rating_*`` is to be one of ``RATINGS``. Cells that a spreadsheet would take for a formula get a
    leading apostrophe, which :func:`read_ratings` removes. Give every rater a copy of a sheet with ``raters=1``, or all
    of them one sheet; ``ratings`` of the metric takes a file or a folder of them.
    """
    sentences = (
        ((answer.id, number), (sentence, ("",) * raters))
        for answer in answers
        for number, sentence in enumerate(split_sentences(answer.text), 1)
    )
    with open(path, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        return write_rows(file, [f"rating_{rater}" for rater in range(1, raters + 1)], sentences)


def write_rows(file: TextIO, raters: Sequence[str], rows: Iterable[tuple[Place, RatedSentence]]) -> int:
    """A sheet with these columns of ratings, "" where there is none yet. Returns the number of rows."""
    writer, count = csv.writer(file), 0
    writer.writerow([*_COLUMNS, *raters])
    for (id, number), (sentence, ratings) in rows:
        writer.writerow([_safe_cell(id), number, _safe_cell(sentence), *ratings])
        count += 1
    return count


def read_ratings(path: str | Path) -> dict[str, list[RatedSentence]]:
    """Rated sentences of every example id, in the order of their numbers.

    path: a CSV sheet as :func:`write_rating_sheet` writes it (separated by comma, semicolon or tab), a JSONL or JSON
    file of records with ``id``, ``number``, ``sentence`` and ``ratings``, or a folder of such files, whose ratings of
    the same sentence are put together. An empty cell is no rating; upper and lower case do not matter.
    Raises DataError that names file and line, also for ratings of people and of a judging model in one.
    """
    found: dict[str, list[RatedSentence]] = {}
    rated = read_rows(path)
    for place in sorted(rated):
        found.setdefault(place[0], []).append(rated[place])
    return found


def read_rows(path: str | Path) -> dict[Place, RatedSentence]:
    """As :func:`read_ratings`, by sentence, in the order of the files."""
    votes: dict[Place, list[str]] = {}
    sentences: dict[Place, str] = {}
    raters: dict[bool, str] = {}  # whether it is a model -> where its first rating is
    for file in rating_files(Path(path)):
        for where, record in _sheet(file) if file.suffix == ".csv" else read_records(file, "id"):
            key, sentence, ratings, judged = _row(where, record)
            if squeezed(sentences.setdefault(key, sentence)) != squeezed(sentence):
                raise DataError(f"{where}: sentence {key[1]} of {key[0]!r} has another text elsewhere")
            votes.setdefault(key, []).extend(ratings)
            if judged:
                raters.setdefault(True, where)
            if len(ratings) > judged:
                raters.setdefault(False, where)
            if len(raters) == 2:
                raise DataError(
                    f"{path}: people rated {raters[False]}, a model {raters[True]}. Keep the two in separate files, so "
                    "that a model's ratings never count as a person's"
                )
    return {key: (sentences[key], tuple(votes[key])) for key in votes}


def judge_column(model: str, version: int) -> str:
    """The column of ratings that a model gives under a version of the judge's prompt.

    >>> judge_column("Qwen/Qwen3-VL 8B", 1)
    'rating_judge:Qwen/Qwen3-VL_8B@prompt1'
    """
    return f"{JUDGE}{re.sub(r'[^A-Za-z0-9._/:@-]', '_', model)}@prompt{version}"


def judges(path: str | Path) -> tuple[str, ...]:
    """The judging models whose columns a sheet, or a folder of sheets, has, as :func:`judge_column` names them."""
    named = (column for file in rating_files(Path(path)) if file.suffix == ".csv" for column in rater_columns(file))
    return tuple(sorted({column.removeprefix(JUDGE) for column in named if column.startswith(JUDGE)}))


def rater_columns(file: Path) -> list[str]:
    """The columns of ratings of a CSV sheet. Raises DataError when it has none, or is no sheet."""
    with _opened(file) as sheet:
        return sheet.raters


def rating_files(path: Path) -> list[Path]:
    """The file itself, or the sheets and record files of a folder."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in (".csv", ".json", ".jsonl"))


@dataclass(frozen=True)
class _Sheet:
    reader: csv.DictReader[str]
    raters: list[str]


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[_Sheet]:
    """A CSV sheet at its first row. Raises DataError, also for what goes wrong while it is read."""
    try:
        with open(file, encoding="utf-8-sig", errors="surrogatepass", newline="") as lines:
            header = lines.readline()
            lines.seek(0)
            reader = csv.DictReader(lines, delimiter=max(",;\t", key=header.count))
            columns = list(reader.fieldnames or [])
            raters = [column for column in columns if column.lower().startswith("rating")]
            if not raters or any(column not in columns for column in _COLUMNS):
                raise DataError(f"{file}: needs columns id, number, sentence and rating_1 …, has {', '.join(columns)}")
            yield _Sheet(reader, raters)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {file}: {error}") from error


def _sheet(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a CSV sheet as records with ``ratings``; ``judged``: how many of them a model gave."""
    with _opened(file) as sheet:
        for row in sheet.reader:
            record: dict[str, Any] = {column: _restored(row[column] or "") for column in _COLUMNS}
            record["ratings"] = [row[rater] or "" for rater in sheet.raters]
            record["judged"] = sum(
                bool((row[rater] or "").strip()) for rater in sheet.raters if rater.startswith(JUDGE)
            )
            yield f"{file}:{sheet.reader.line_num}", record


def _row(place: str, record: dict[str, Any]) -> tuple[Place, str, list[str], int]:
    """(place in the captions, sentence, ratings, how many of these a model gave)."""
    try:
        key, sentence = (str(record["id"]), int(record["number"])), record["sentence"]
        cells = [str(rating).strip() for rating in record["ratings"]]
        judged = int(record.get("judged", 0))
        if not isinstance(sentence, str) or isinstance(record["ratings"], str):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{place}: needs id, number (an integer), sentence and ratings") from None
    known = {rating.lower(): rating for rating in RATINGS}
    for cell in cells:
        if cell and cell.lower() not in known:
            raise DataError(f"{place}: {cell!r:.60} is no rating. {did_you_mean(cell, RATINGS)}")
    return key, sentence, [known[cell.lower()] for cell in cells if cell], judged


def _safe_cell(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _restored(cell: str) -> str:
    return cell.removeprefix("'")


def squeezed(text: str) -> str:
    """What must be equal for a text to be the one that was rated: spreadsheets change white space and apostrophes."""
    return "".join(text.encode(errors="replace").decode().split()).replace("'", "")
