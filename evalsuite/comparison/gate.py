"""``evalsuite gate``: may this run replace the baseline?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.comparison.answers import RunAnswers
from evalsuite.comparison.baseline import Baseline, BaselineSplit, Tolerance, asked_digest
from evalsuite.comparison.paired import Difference, difference
from evalsuite.comparison.pairing import pair
from evalsuite.errors import EvalsuiteError
from evalsuite.metrics import Answer, load_metric
from evalsuite.reports.answer_shares import Place, in_words, warnings
from evalsuite.scoring.workers import StatisticsWorkers

if TYPE_CHECKING:
    from evalsuite.specs import TaskRegistry

PASS, REGRESSION, INCONCLUSIVE = "pass", "regression", "inconclusive"
FEWEST = 2
"""Shared examples below which chance cannot be told from a difference."""

EXIT_STATUS = {PASS: 0, REGRESSION: 1, INCONCLUSIVE: 2}
ALLOWED = ("missing", "changed", "fewer")
"""What may be allowed: tasks that are missing, specs or metrics that changed, fewer examples than the baseline's."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of one split. value: of the run, in paper units; found: the paired comparison, if any.

    reason: why, and which share of the run's answers was unread, cut, empty or withheld.
    """

    task: str
    split: str
    metric: str
    verdict: str
    reason: str
    baseline: float
    value: float | None = None
    found: Difference | None = None


def overall(verdicts: Sequence[Verdict]) -> str:
    """The worst of the verdicts: a regression, else something inconclusive, else a pass."""
    return max((item.verdict for item in verdicts), key=[PASS, INCONCLUSIVE, REGRESSION].index, default=PASS)


def verdict_warnings(verdicts: Sequence[Verdict], run: str) -> list[str]:
    """Of which values of the run too many answers were unread, cut, empty or withheld, and the way out."""
    places = []
    for item in verdicts:
        if item.found is not None and (counts := item.found.counts[1]) is not None:
            places.append(Place(run, item.task, item.split, "", item.found.metric, item.found.n, counts))
    return warnings(places)


def judge(
    folder: Path,
    baseline: Baseline,
    registry: TaskRegistry | None = None,
    *,
    allow: Collection[str] = (),
    resamples: int = 1000,
    jobs: int = 1,
) -> list[Verdict]:
    """One verdict for each split of the baseline, in its order. Tasks that the baseline does not hold are no matter.

    allow: some of ALLOWED. Raises StoreError when the folder is no run.
    """
    run = RunAnswers.open(folder, registry)
    with StatisticsWorkers(jobs) as workers:
        return [
            _judge(run, split, baseline.tolerance(split.task), frozenset(allow), resamples, workers)
            for split in baseline.splits
        ]


def _judge(
    run: RunAnswers,
    base: BaselineSplit,
    tolerance: Tolerance,
    allow: frozenset[str],
    resamples: int,
    workers: StatisticsWorkers,
) -> Verdict:
    def verdict(kind: str, reason: str, found: Difference | None = None) -> Verdict:
        value = None if found is None else found.after
        said = in_words(found.counts[1], found.n) if found and found.counts[1] else ""
        reason = f"{reason}; of the run's answers {said}" if said else reason
        return Verdict(base.task, base.split, base.metric, kind, reason, base.value, value, found)

    if base.task not in run.tasks() or base.split not in run.splits(base.task):
        return verdict(PASS if "missing" in allow else REGRESSION, "the run has no answers of it")
    changed = list(_changes(run, base))
    if changed and "changed" not in allow:
        return verdict(REGRESSION, f"{'; '.join(changed)}. Make the baseline anew, or allow it")
    stored = run.answers(base.task, base.split)
    if len(stored) < base.n and "fewer" not in allow:
        return verdict(REGRESSION, f"{len(stored)} examples; the baseline has {base.n}")
    use = run.spec(base.task).headline()
    answers, references = [item.answer for item in stored], [item.references for item in stored]
    strata, marks = [item.strata for item in stored], [item.marks for item in stored]
    try:
        if tolerance.kind != "statistical":
            found = difference(use, answers, answers, references, strata, workers, resamples=1, marks=(None, marks))
            return verdict(*_by_amount(base, tolerance, found), found)
        kept = [_Kept(id, content) for id, (content, _) in base.answers.items()]
        pairs = pair(kept, stored)
        if not pairs.places:
            return verdict(
                REGRESSION, "no example of the baseline is in the run; a statistical tolerance needs shared ones"
            )
        if pairs.only_first and "fewer" not in allow:
            return verdict(REGRESSION, f"{pairs.only_first} of the baseline's {base.n} examples are not in the run")
        before: list[Answer] = [base.answers[kept[place].id][1] for place, _ in pairs.places]
        places = [place for _, place in pairs.places]
        found = difference(
            use,
            before,
            [answers[place] for place in places],
            [references[place] for place in places],
            [strata[place] for place in places],
            workers,
            resamples=resamples,
            marks=(None, [marks[place] for place in places]),
        )
    except (EvalsuiteError, ValueError) as error:
        return verdict(REGRESSION, f"cannot be scored: {error}")
    return verdict(*_by_interval(tolerance, found), found)


def _by_amount(base: BaselineSplit, tolerance: Tolerance, found: Difference) -> tuple[str, str]:
    """(verdict, reason) of a value alone."""
    drop = base.value - found.after if base.higher_is_better else found.after - base.value
    allowed = tolerance.amount if tolerance.kind == "absolute" else tolerance.amount * abs(base.value)
    if drop != drop:
        return REGRESSION, "the value is undefined"
    within = drop <= allowed + 1e-9
    reason = f"worse by {drop:.3g}" if drop > 0 else "not worse"
    return PASS if within else REGRESSION, f"{reason}; {allowed:.3g} are allowed"


def _by_interval(tolerance: Tolerance, found: Difference) -> tuple[str, str]:
    """(verdict, reason) of a paired comparison."""
    gain, low, high = found.gain
    counts = f"{len(found.better)} better, {len(found.worse)} worse, {found.tied} equal"
    shown = f"{gain:+.3g} [{low:+.3g}, {high:+.3g}] on {found.n} shared examples ({counts})"
    if gain != gain:
        return REGRESSION, "the value is undefined"
    if found.n < FEWEST:
        return INCONCLUSIVE, f"so few examples have no interval: {shown}. Use more"
    if gain < 0 and high < 0:
        return REGRESSION, f"worse beyond chance: {shown}"
    if gain >= 0 or low >= -tolerance.amount:
        return PASS, shown
    return INCONCLUSIVE, f"a drop of up to {-low:.3g} cannot be ruled out: {shown}. Use more examples"


def _changes(run: RunAnswers, base: BaselineSplit) -> Iterator[str]:
    spec = run.spec(base.task)
    use = spec.headline()
    signature = load_metric(use.name, **use.parameters).signature()
    if signature != base.signature:
        yield f"the metric was {base.signature}, now {signature}"
    if asked_digest(spec) != base.asked:
        yield "prompt, image preparation, decoding or parsing changed"


@dataclass(frozen=True, slots=True)
class _Kept:
    """An example of the baseline, as pairing sees it."""

    id: str
    content: str
