"""A data set against its spec, before a run: columns, references, sizes, ids; everything that is wrong in one list."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from evalsuite.asking.requests import RequestBuilder
from evalsuite.data import BadExample, TaskData, open_task_data
from evalsuite.data.lookups import Join, columns_before_joins
from evalsuite.errors import DataError, EvalsuiteError, MissingDependency, did_you_mean
from evalsuite.inspection.columns import ColumnFact, column_facts
from evalsuite.inspection.views import ExampleView, view_example
from evalsuite.inspection.visible import printable
from evalsuite.media.images import ImageFile
from evalsuite.media.video import VideoFile
from evalsuite.metrics import Answer, Metric, load_metric
from evalsuite.specs.overrides import with_metric_options
from evalsuite.specs.parts import MetricUse
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import Example

ERROR, WARNING = "error", "warning"
FIRST = 3  # examples whose media are opened; as many broken ones at the start stop a run
SCORED = 16  # examples whose references the metrics are given
TOLERATED = 0.01  # share of examples that may fail in a run unless --max-errors says otherwise
PICTURE_BYTES = 200_000
NO_FILE = "there is no such file"
"""What media say that are counted apart."""


@dataclass(frozen=True, slots=True)
class Problem:
    """level: ``error`` stops a run, ``warning`` does not. split: "" for the task as a whole."""

    level: str
    split: str
    message: str


@dataclass(frozen=True)
class SplitFacts:
    """What was found in a split.

    examples: how many there are; None when only a part was read. published: the size that the spec gives.
    columns: of its records. shown: the first example, and the last one where the split was read to its end.
    """

    name: str
    examples: int | None
    published: int | None
    columns: Sequence[ColumnFact]
    shown: Sequence[ExampleView]


@dataclass
class DataCheck:
    """The data of one task, compared with its spec."""

    spec: TaskSpec
    data: str
    splits: list[SplitFacts] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing would stop a run."""
        return all(problem.level != ERROR for problem in self.problems)

    def add(self, level: str, split: str, message: str) -> None:
        """Note a problem, once."""
        problem = Problem(level, split, printable(message))
        if problem not in self.problems:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A task's data as a run reads it, and the same with all columns of its own table."""

    data: TaskData
    raw: TaskData
    limit: int | None
    pictures: bool


def check_data(
    spec: TaskSpec,
    kind: str,
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    splits: Sequence[str] | None = None,
    limit: int | None = None,
    pictures: bool = False,
) -> DataCheck:
    """Compare a task's data with its spec.

    kind, data_dir, seed: as for :func:`~evalsuite.data.open_task_data`. splits: the reported ones when None.
    limit: read at most so many examples of a split; its size, and ids beyond, are then not looked at.
    pictures: keep those of the examples that are shown.
    What is wrong with data and metrics is in the result. Raises UnknownName for an unknown split or kind.
    """
    check = DataCheck(spec, kind)
    for use in with_metric_options(spec, {}).metrics:  # without the optional ones
        try:
            load_metric(use.name, **use.parameters).check()
        except EvalsuiteError as error:
            check.add(ERROR, "", f"metric {use.name}: {error}")
    try:
        opened = _Opened(
            open_task_data(spec, kind, data_dir=data_dir, seed=seed),
            open_task_data(spec, kind, data_dir=data_dir, seed=seed, raw=True),
            limit,
            pictures,
        )
        names = list(opened.data.fingerprint(splits)["splits"])  # finds out at once when a hub cannot be reached
    except (DataError, MissingDependency) as error:
        check.add(ERROR, "", _without_name(str(error), spec))
        return check
    if spec.fields.video and kind != "synthetic":
        from evalsuite.media.video import require_av

        try:
            require_av()
        except MissingDependency as error:
            check.add(ERROR, "", str(error))
            return check
    for name in names:
        try:
            check.splits.append(_check_split(check, opened, name))
        except (DataError, MissingDependency) as error:
            check.add(ERROR, name, _without_name(str(error), spec))
    return check


def _without_name(message: str, spec: TaskSpec) -> str:
    return message.removeprefix(f"{spec.id}: ")


def _check_split(check: DataCheck, opened: _Opened, name: str) -> SplitFacts:
    published = next(split.size for split in check.spec.splits if split.name == name)
    columns = _check_columns(check, opened, name)
    if any(problem.split == name and problem.level == ERROR for problem in check.problems):
        return SplitFacts(name, None, published, columns, ())
    reading = _Reading(opened.data.examples(name, stop=opened.limit))
    if not reading.count:
        raise DataError(f"split {name!r} holds no examples")
    complete = opened.limit is None or reading.count < opened.limit
    examples = reading.count if complete else opened.data.count(name)
    _check_sizes(check, name, examples, published)
    _check_usable(check, name, reading)
    _check_references(check, name, [example for example in reading.first if isinstance(example, Example)])
    return SplitFacts(name, examples, published, columns, _check_shown(check, opened, name, reading, complete))


def _check_columns(check: DataCheck, opened: _Opened, name: str) -> list[ColumnFact]:
    """The columns of the records, those included that the mapping needs and that are not there."""
    first = list(islice(opened.raw.source.records(name), SCORED))
    if not first:
        raise DataError(f"split {name!r} holds no records")
    source = getattr(check.spec.data, opened.data.kind)
    joins = [Join.of(lookup, {}) for lookup in getattr(source, "lookups", ())]
    facts = column_facts(first, columns_before_joins(opened.data.mapper.columns, joins))
    there = [fact.name for fact in facts if fact.type]
    for fact in facts:
        if fact.required and not fact.type:
            hint = did_you_mean(fact.name, there)
            check.add(ERROR, name, f"there is no column {fact.name!r}, which the mapping needs. {hint}")
    return facts


class _Reading:
    """What is kept while a split is read: counts, digests of ids, the first examples and the last one."""

    def __init__(self, examples: Iterator[Example | BadExample]) -> None:
        self.count = 0
        self.first: list[Example | BadExample] = []
        self.last: deque[Example | BadExample] = deque(maxlen=1)
        self.bad, self.first_error = 0, ""
        self.absent, self.first_absent = 0, ""
        self.repeated: list[str] = []
        self.repetitions = 0
        self._seen: set[bytes] = set()
        for example in examples:
            self._note(example)

    def _note(self, example: Example | BadExample) -> None:
        self.count += 1
        if len(self.first) < SCORED:
            self.first.append(example)
        self.last.append(example)
        if isinstance(example, BadExample):
            self.bad += 1
            self.first_error = self.first_error or f"{example.key.id}: {example.error}"
        else:
            self._note_absent(example)
        if isinstance(example, BadExample) and not example.has_id:
            return
        # Digests take less memory than ids: hundreds of thousands of them must be kept.
        digest = hashlib.blake2b(example.key.id.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if digest in self._seen:
            self.repetitions += 1
            if len(self.repeated) < 3 and example.key.id not in self.repeated:
                self.repeated.append(example.key.id)
        self._seen.add(digest)

    def _note_absent(self, example: Example) -> None:
        """Files that are not there; whether those that are there can be read shows only when they are opened."""
        paths = [visual.path for visual in example.visuals if isinstance(visual, (ImageFile, VideoFile))]
        gone = next((path for path in paths if not path.is_file()), None)
        if gone is not None:
            self.absent += 1
            self.first_absent = self.first_absent or str(gone)


def _check_sizes(check: DataCheck, name: str, examples: int | None, published: int | None) -> None:
    if check.data == "synthetic" or None in (examples, published) or examples == published:
        return
    check.add(WARNING, name, f"{examples:,} examples; the published split has {published:,}")


def _check_usable(check: DataCheck, name: str, reading: _Reading) -> None:
    if reading.repetitions:
        named = ", ".join(map(repr, reading.repeated))
        more = ", …" if reading.repetitions > len(reading.repeated) else ""
        message = f"{reading.repetitions:,} examples have an id that another one has ({named}{more})"
        check.add(ERROR, name, f"{message}; ids must be unique in their split")
    for number, what in ((reading.bad, reading.first_error), (reading.absent, f"there is no {reading.first_absent}")):
        if number:
            level = ERROR if number > TOLERATED * reading.count else WARNING
            check.add(level, name, f"{number:,} of {reading.count:,} examples cannot be used; the first: {what}")


def _check_references(check: DataCheck, name: str, examples: Sequence[Example]) -> None:
    """Give the first references to every metric, with empty answers."""
    for use in with_metric_options(check.spec, {}).metrics:
        seen = [example for example in examples if all(example.strata.get(k) == v for k, v in use.only.items())]
        error = _scoring_error(use, seen) if seen else None
        if error is not None:
            check.add(ERROR, name, f"metric {use.name} cannot use the references: {error}")


def _scoring_error(use: MetricUse, examples: Sequence[Example]) -> str | None:
    try:
        metric = load_metric(use.name, **use.parameters)
        metric.check()
    except EvalsuiteError:
        return None  # noted once for the whole task
    try:
        metric.score([_empty(metric, example) for example in examples], [example.references for example in examples])
    except Exception as error:  # a metric may meet a form of references that it never thought of
        return str(error) if isinstance(error, EvalsuiteError) else f"{type(error).__name__}: {error}"
    return None


def _empty(metric: Metric, example: Example) -> str | Answer:
    return Answer("", example.key.id) if metric.takes_answers else ""


def _check_shown(check: DataCheck, opened: _Opened, name: str, reading: _Reading, complete: bool) -> list[ExampleView]:
    """The first and the last example, after the media of the first few were opened."""
    prompts = RequestBuilder(check.spec)
    pictures = PICTURE_BYTES if opened.pictures else None
    first = reading.first[:FIRST]
    views = [view_example(example, prompts, pictures) for example in first]
    last = [view_example(reading.last[0], prompts, pictures)] if complete and reading.count > 1 else []
    if all(view.error for view in views):
        which = "the first example" if len(first) == 1 else f"the first {len(first)} examples"
        check.add(ERROR, name, f"{which} cannot be used, {views[0].id}: {views[0].error}")
    else:
        _note_errors(check, name, [*first, reading.last[0]], [*views, *last])
    for view in [*views, *last]:
        if view.caution:
            check.add(WARNING, name, f"example {view.id}: {view.caution}")
    return [views[0], *last]


def _note_errors(
    check: DataCheck, name: str, examples: Sequence[Example | BadExample], views: Sequence[ExampleView]
) -> None:
    """Media that cannot be opened; records that cannot be mapped and files that are not there are counted already."""
    for example, view in zip(examples, views, strict=False):
        if view.error and isinstance(example, Example) and NO_FILE not in view.error:
            check.add(WARNING, name, f"example {view.id}: {view.error}")
