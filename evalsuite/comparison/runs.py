"""``evalsuite compare``: runs against a first one, task by task, on the examples that both answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.comparison.answers import RunAnswers, StoredAnswer
from evalsuite.comparison.paired import Difference, difference
from evalsuite.comparison.pairing import pair
from evalsuite.comparison.significance import holm
from evalsuite.errors import EvalsuiteError
from evalsuite.metrics import load_metric
from evalsuite.reports.answer_shares import Place, warnings
from evalsuite.scoring.workers import StatisticsWorkers

if TYPE_CHECKING:
    from evalsuite.specs import TaskRegistry, TaskSpec

_ASKED = ("prompt", "image", "decoding", "parsing")
"""Parts of a spec by which another question is asked, or the answer read in another way."""


@dataclass(frozen=True, slots=True)
class SplitComparison:
    """One split of one task in a later run against the first.

    reasons: why the two cannot be compared; ``found`` is None then, unless it was asked for anyway.
    notes: what a reader should know of a comparison that was made.
    adjusted: p after correction over all tasks of the run.
    better, worse: ids of the examples whose value rose or fell.
    """

    task: str
    title: str
    split: str
    first: str
    second: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    found: Difference | None = None
    adjusted: float | None = None
    better: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()


def compare_runs(
    folders: Sequence[Path],
    registry: TaskRegistry | None = None,
    *,
    anyway: bool = False,
    resamples: int = 1000,
    jobs: int = 1,
) -> list[SplitComparison]:
    """Every later run against the first, in the order of the first's tasks.

    anyway: compare even where prompt, decoding or metric differ. Examples are paired by content and id; where the runs
    hold different ones, the shared ones count. p-values are corrected over the tasks of a run (Holm).
    Raises StoreError for a folder that is no run.
    """
    first, *others = [RunAnswers.open(folder, registry) for folder in folders]
    rows: list[SplitComparison] = []
    with StatisticsWorkers(jobs) as workers:
        for other in others:
            rows += _corrected(list(_compare(first, other, anyway, resamples, workers)))
    return rows


def comparison_warnings(rows: Sequence[SplitComparison]) -> list[str]:
    """Of which compared values too many answers were unread, cut, empty or withheld, and the way out."""
    places = []
    for row in rows:
        if row.found is not None:
            names = (row.first, row.second) if row.first != row.second else ("the first run", "the second run")
            for name, counts in zip(names, row.found.counts, strict=True):
                if counts is not None:
                    places.append(Place(name, row.task, row.split, "", row.found.metric, row.found.n, counts))
    return warnings(places)


def _compare(
    first: RunAnswers, second: RunAnswers, anyway: bool, resamples: int, workers: StatisticsWorkers
) -> Iterator[SplitComparison]:
    shared = set(second.tasks())
    for task in first.tasks():
        spec = first.spec(task)
        row = SplitComparison(task, spec.title, "", first.name, second.name)
        if task not in shared:
            yield dataclasses.replace(row, reasons=(f"{second.name} has not run it",))
            continue
        reasons = tuple(_reasons(first, second, task))
        splits = second.splits(task)
        for split in first.splits(task):
            place = dataclasses.replace(row, split=split, reasons=reasons)
            if split not in splits:
                yield dataclasses.replace(place, reasons=(f"{second.name} has no answers of this split",))
            elif reasons and not anyway:
                yield place
            else:
                yield _compare_split(place, spec, first, second, resamples, workers)


def _compare_split(
    row: SplitComparison,
    spec: TaskSpec,
    first: RunAnswers,
    second: RunAnswers,
    resamples: int,
    workers: StatisticsWorkers,
) -> SplitComparison:
    before, after = first.answers(row.task, row.split), second.answers(row.task, row.split)
    pairs = pair(_by_references(before), _by_references(after)) if row.reasons else pair(before, after)
    if not pairs.places:
        return dataclasses.replace(row, reasons=(*row.reasons, "they share no example"))
    left = [before[place] for place, _ in pairs.places]
    right = [after[place] for _, place in pairs.places]
    try:
        found = difference(
            spec.headline(),
            [item.answer for item in left],
            [item.answer for item in right],
            [item.references for item in left],
            [item.strata for item in left],
            workers,
            resamples=resamples,
            marks=([item.marks for item in left], [item.marks for item in right]),
        )
    except (EvalsuiteError, ValueError) as error:
        return dataclasses.replace(row, reasons=(*row.reasons, str(error)))
    notes = []
    if pairs.only_first or pairs.only_second:
        notes.append(
            f"{len(pairs.places)} shared examples; {pairs.only_first} are in {row.first} alone, "
            f"{pairs.only_second} in {row.second} alone"
        )
    return dataclasses.replace(
        row,
        notes=tuple(notes),
        found=found,
        better=tuple(left[place].id for place in found.better),
        worse=tuple(left[place].id for place in found.worse),
    )


def _by_references(items: Sequence[StoredAnswer]) -> list[StoredAnswer]:
    """With another prompt in each run, ids and references alone say what is the same example."""
    from evalsuite.comparison.answers import content_digest

    return [dataclasses.replace(item, content=content_digest("", item.references)) for item in items]


def _reasons(first: RunAnswers, second: RunAnswers, task: str) -> Iterator[str]:
    """Why the numbers of two runs would be apples and pears."""
    one, other = first.kept_spec(task), second.kept_spec(task)
    for part in _ASKED:
        yield from _changes(part, one.get(part), other.get(part))
    headlines = [run.spec(task).headline() for run in (first, second)]
    signatures = [load_metric(use.name, **use.parameters).signature() for use in headlines]
    if signatures[0] != signatures[1]:
        yield f"the metric differs: {signatures[0]}, {signatures[1]}"
    kinds = [run.manifest["tasks"][task]["data"]["kind"] for run in (first, second)]
    if kinds[0] != kinds[1]:
        yield f"the data differ: {kinds[0]}, {kinds[1]}"


def _changes(name: str, one: Any, other: Any) -> Iterator[str]:
    """``prompt.prefix differs: 'a', 'b'`` for each field that differs."""
    if one == other:
        return
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys([*one, *other]):
            yield from _changes(f"{name}.{key}", one.get(key), other.get(key))
        return
    yield f"{name} differs: {one!r}, {other!r}"


def _corrected(rows: list[SplitComparison]) -> list[SplitComparison]:
    tested = [row for row in rows if row.found is not None and row.found.p is not None]
    adjusted = iter(holm([row.found.p for row in tested if row.found and row.found.p is not None]))
    return [
        dataclasses.replace(row, adjusted=next(adjusted)) if row.found and row.found.p is not None else row
        for row in rows
    ]
