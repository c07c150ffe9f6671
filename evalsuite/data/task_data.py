"""The data of one task from one kind of source: checked early, then streamed as examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.data.base import Source
from evalsuite.data.lookups import Join, JoinedSource, columns_before_joins
from evalsuite.data.mapping import BadExample, Mapper
from evalsuite.errors import DataError, EvalsuiteError, UnknownName
from evalsuite.types import Example, JsonValue

if TYPE_CHECKING:
    from evalsuite.specs.parts import FilesSource as FilesSpec
    from evalsuite.specs.schema import TaskSpec

KINDS = ("synthetic", "hub", "files")

CHECKED_EXAMPLES = 3  # one broken image at the start is an example's problem, three are the data set's


@dataclass(frozen=True)
class TaskData:
    """The examples of one task. ``kind`` is one of KINDS."""

    spec: TaskSpec
    kind: str
    source: Source
    mapper: Mapper

    def check(self, splits: Sequence[str] | None = None, *, images: bool = True) -> None:
        """Find out early what would stop a run: split and columns are there, a first example maps, its media open.

        splits: those to look at, the reported ones of the spec when None.
        images: whether media are opened (a backend that replays answers needs none).
        Raises DataError, or MissingDependency when clips cannot be decoded.
        """
        if images and self.spec.fields.video and self.kind != "synthetic":
            from evalsuite.media.video import require_av

            require_av()
        for split in self._names(splits):
            first = list(islice(self.examples(split), CHECKED_EXAMPLES))
            if not first:
                raise DataError(f"{self.spec.id}: split {split!r} holds no examples")
            problems = [_problem(example, images) for example in first]
            if all(problems):
                raise DataError(f"{self.spec.id}, split {split!r}, first example: {problems[0]}")

    def count(self, split: str, *, exact: bool = False) -> int | None:
        """Examples in the split; None when only reading it to the end would tell, unless ``exact``, which then does."""
        known = self.source.count(split) if self.mapper.one_to_one else None
        if known is not None or not exact:
            return known
        records = enumerate(self.source.records(split))
        return sum(1 for place, record in records for _ in self.mapper.scopes(record, place, split))

    def fingerprint(self, splits: Sequence[str] | None = None) -> dict[str, JsonValue]:
        """What the data is: ``{kind, splits: {split: …}}``. Equal means equal records."""
        parts = {name: dict(self.source.fingerprint(name)) for name in self._names(splits)}
        return {"kind": self.kind, "splits": parts}

    def examples(
        self, split: str, *, start: Callable[[int], bool] | None = None, stop: int | None = None
    ) -> Iterator[Example | BadExample]:
        """The split's examples in order, each with its position.

        start: called with a position; False means that the example is done already, and it is left out unmapped.
        stop: the position at which to end.
        """
        position = 0
        for place, record in enumerate(self.source.records(split)):
            for scope in self.mapper.scopes(record, place, split):
                if stop is not None and position >= stop:
                    return
                if start is None or start(position):
                    yield self.mapper.example(scope, split, position)
                position += 1
            if stop is not None and position >= stop:
                return

    def _names(self, splits: Sequence[str] | None) -> list[str]:
        known = [split.name for split in self.spec.splits]
        for name in splits or ():
            if name not in known:
                raise UnknownName("split", name, known, where=self.spec.id)
        return [split.name for split in self.spec.reported()] if splits is None else list(splits)


def has_kind(spec: TaskSpec, kind: str) -> bool:
    """Whether the task has data of this kind; any task can be read from files."""
    return kind == "files" or getattr(spec.data, kind, None) is not None


def open_task_data(
    spec: TaskSpec, kind: str, *, data_dir: Path | None = None, seed: int = 0, scale: int = 1, raw: bool = False
) -> TaskData:
    """The data of a task.

    kind: ``synthetic``, ``hub`` or ``files``.
    data_dir: for ``files``, the folder with ``<task id>/<split>.jsonl`` (or ``<split>.jsonl`` itself); for ``hub``, the
        folder of media that the hub's records only name.
    seed, scale: of the synthetic world; it has ``scale`` times the examples that the spec says.
    raw: the source gives the first table alone, all its columns, none of them required: for looking at data.
    Raises UnknownName, SpecError for an expression that does not compile, DataError when the spec lacks the kind or
    the folder is not there.
    """
    if kind not in KINDS:
        raise UnknownName("kind of data", kind, KINDS)
    if not has_kind(spec, kind):
        there = [name for name in KINDS if has_kind(spec, name)]
        raise DataError(f"{spec.id}: there is no {kind} source for this task. Use --data {' or --data '.join(there)}")
    if kind == "synthetic":
        return _synthetic(spec, seed, scale)
    return (_hub if kind == "hub" else _files)(spec, data_dir, raw)


def _synthetic(spec: TaskSpec, seed: int, scale: int) -> TaskData:
    from evalsuite.data.synthetic import SyntheticSource

    synthetic = spec.data.synthetic
    assert synthetic is not None
    source = SyntheticSource(synthetic.generator, synthetic.parameters, synthetic.size * scale, seed)
    return TaskData(spec, "synthetic", source, Mapper(spec, spec.fields, None))


def _hub(spec: TaskSpec, data_dir: Path | None, raw: bool) -> TaskData:
    from evalsuite.data.hub import ANY_COLUMN, HubSource

    hub = spec.data.hub
    assert hub is not None
    fields = spec.fields.with_overrides(hub.fields)
    joins = [Join.of(lookup, {split.name: lookup for split in spec.splits}) for lookup in hub.lookups]
    columns = columns_before_joins(Mapper(spec, fields, None).columns, joins)
    source = HubSource(hub, ANY_COLUMN if raw else columns, spec.gating)
    media_root = _task_folder(spec, data_dir) / _files_spec(spec).images if data_dir else None
    mapper = Mapper(spec, fields, media_root, source.media_roots)
    return TaskData(spec, "hub", JoinedSource(source, source, joins) if joins and not raw else source, mapper)


def _files(spec: TaskSpec, data_dir: Path | None, raw: bool) -> TaskData:
    from evalsuite.data.files import ANY_COLUMN, FilesSource

    if data_dir is None:
        raise DataError(f"{spec.id}: name the data folder; it holds {spec.id}/<split>.jsonl, .json, .csv or .parquet")
    files = _files_spec(spec)
    fields = spec.fields.with_overrides(files.fields)
    folder = _task_folder(spec, data_dir)
    joins = [Join.of(lookup, dict.fromkeys(lookup.splits, lookup)) for lookup in files.lookups]
    columns = columns_before_joins(Mapper(spec, fields, None).columns, joins)
    source = FilesSource(folder, files, ANY_COLUMN if raw else columns)
    mapper = Mapper(spec, fields, source.media_root)
    return TaskData(spec, "files", JoinedSource(source, source, joins) if joins and not raw else source, mapper)


def _files_spec(spec: TaskSpec) -> FilesSpec:
    from evalsuite.specs.parts import FilesSource

    return spec.data.files or FilesSource.model_validate({})


def _task_folder(spec: TaskSpec, data_dir: Path) -> Path:
    own = data_dir / spec.id
    return own if own.is_dir() else data_dir


def _problem(example: Example | BadExample, images: bool) -> str | None:
    if isinstance(example, BadExample):
        return example.error
    try:
        for visual in example.visuals if images else ():
            visual.frames()
    except EvalsuiteError as error:
        return str(error)
    return None
