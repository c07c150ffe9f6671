"""What stands beside a value when answers were no proper ones: shares of them, and warnings above five percent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from evalsuite.reports.rows import ResultRow
from evalsuite.reports.tables import Cell, Column
from evalsuite.runs.answer_counts import CUT, EMPTY, KINDS, UNREAD, WITHHELD, AnswerCounts

MOST = 0.05
"""A share above it is a warning."""

SHARE_COLUMNS = tuple(Column(kind, kind.capitalize(), "share") for kind in KINDS)
PLACES_NAMED = 3

MEANING = {
    UNREAD: "could not be read in full by the metric's rule",
    CUT: "were cut at the token limit",
    EMPTY: "are empty",
    WITHHELD: "were withheld by a filter of the server",
}
_LEGEND = {
    UNREAD: "the metric's rule could not read the answer in full",
    CUT: "ended by the token limit",
    EMPTY: "no text",
    WITHHELD: "by a filter of the server",
}
_WAY_OUT = {
    UNREAD: (
        "The rule asks for another form of answer (evalsuite metrics show {metric}): look at some with evalsuite view; "
        "another prompt or checkpoint, or parsing in the spec, may lead to it"
    ),
    CUT: (
        "Raise decoding.max_new_tokens in the task's spec if good answers are longer; else the model does not come to "
        "an end: look at prompt and checkpoint"
    ),
    EMPTY: (
        "Usual causes: logits that are NaN or infinite (float16 overflows: try --dtype bfloat16), or a prompt or chat "
        "template that is not the model's"
    ),
    WITHHELD: "Switch the server's filter off for this model, or ask another server; withheld answers count as wrong",
}


def shown_share(count: int | None, n: int) -> str:
    """A share in percent, "" for zero, for an unknown one, and of no answers.

    >>> shown_share(1, 8), shown_share(1, 200_000), shown_share(0, 8)
    ('12.5%', '<0.1%', '')
    """
    if not count or not n:
        return ""
    return f"{100 * count / n:.1f}%" if count / n >= 0.0005 else "<0.1%"


def is_high(count: int | None, n: int) -> bool:
    return bool(count) and n > 0 and (count or 0) / n > MOST


def share_cells(counts: AnswerCounts, n: int) -> list[Cell]:
    """A cell for each of SHARE_COLUMNS: the share is shown where it is not zero; the value is (count, percent)."""
    found = [getattr(counts, kind) for kind in KINDS]
    return [
        Cell(
            shown_share(count, n),
            (count, None if count is None or not n else round(100 * count / n, 4)),
            warn=is_high(count, n),
        )
        for count in found
    ]


def explanation(counts: Iterable[AnswerCounts]) -> str:
    """A sentence on what the columns of shares mean, "" where all shares are zero."""
    found = {kind for item in counts for kind in KINDS if getattr(item, kind)}
    meant = ", ".join(f"{kind} ({_LEGEND[kind]})" for kind in KINDS if kind in found)
    return f"Shares of n: {meant}." if meant else ""


def is_flawed(row: ResultRow) -> bool:
    """Whether some answers behind the value were unread, cut, empty or withheld."""
    return any(getattr(row, kind) for kind in KINDS)


def in_words(counts: AnswerCounts, n: int) -> str:
    """``12.5% are empty, 3.1% were cut at the token limit``; "" where all shares are zero."""
    found = [(kind, shown_share(getattr(counts, kind), n)) for kind in KINDS]
    return ", ".join(f"{share} {MEANING[kind]}" for kind, share in found if share)


@dataclass(frozen=True, slots=True)
class Place:
    """The answers behind one value of a metric."""

    run: str
    task: str
    split: str
    stratum: str
    metric: str
    n: int
    counts: AnswerCounts

    @classmethod
    def of(cls, row: ResultRow) -> Place:
        metric = row.signature.partition("|")[0]
        return cls(row.run, row.task, row.split, row.stratum, metric, row.n, row.answer_counts)


def warnings(places: Iterable[Place]) -> list[str]:
    """A sentence for each task and kind of which a share is above MOST, with its places and the usual way out.

    A stratum is named where the share of the whole split is not above it.
    """
    places = list(places)
    several = len({place.run for place in places}) > 1
    sentences = []
    for task in dict.fromkeys(place.task for place in places):
        of_task = [place for place in places if place.task == task]
        for kind in KINDS:
            high = list(_high(of_task, kind))
            if high:
                sentences.append(_sentence(task, kind, high, several))
    return sentences


def row_warnings(rows: Iterable[ResultRow]) -> list[str]:
    """:func:`warnings` of result rows, headlines first."""
    return warnings(map(Place.of, sorted(rows, key=lambda row: not row.headline)))


def _high(places: Sequence[Place], kind: str) -> Iterator[Place]:
    high = [place for place in places if is_high(getattr(place.counts, kind), place.n)]
    whole = {(place.run, place.split) for place in high if not place.stratum}
    return (place for place in high if not place.stratum or (place.run, place.split) not in whole)


def _sentence(task: str, kind: str, high: Sequence[Place], several: bool) -> str:
    first: dict[tuple[object, ...], Place] = {}
    for place in high:
        # Metrics of one split read alike, and have all else in common; runs may have the same name.
        count = 0 if kind == UNREAD else getattr(place.counts, kind)
        first.setdefault((place.run, place.split, place.stratum, count), place)
    metrics = ", ".join(dict.fromkeys(place.metric for place in high))
    meaning = MEANING[kind].replace("the metric's rule", metrics)
    named = []
    for place in list(first.values())[:PLACES_NAMED]:
        name = ", ".join(filter(None, [place.run if several else "", place.split, place.stratum]))
        count = getattr(place.counts, kind)
        named.append(f"{name}: {shown_share(count, place.n)} of the answers ({count:,} of {place.n:,})")
    more = f"; and {len(first) - len(named)} more places" if len(first) > len(named) else ""
    return f"{task}, {'; '.join(named)}{more} {meaning}. {_WAY_OUT[kind].format(metric=high[0].metric)}."
