"""The replay backend: answers come from a file of predictions that another program made.

Options (``--option name=value``; the first two have flags of their own):

predictions: the file (see :mod:`evalsuite.backends.replay.files`); ``{task}``, ``{split}`` and the run's attributes
    (``{size}``) in its name are filled in.
missing: what an example without a prediction becomes: ``error`` (default; an error row), ``empty`` (an empty answer)
    or ``skip`` (neither stored nor scored).
duplicates: what two different predictions for one id mean: ``refuse`` (default), or keep the ``first`` or ``last``.
id_field, text_field: columns to read, where they are not recognised.
"""

from __future__ import annotations

import glob
import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.backends.base import BackendOptions, BatchLimits, Facts, Prepared
from evalsuite.backends.needs import Needs
from evalsuite.backends.replay.files import Fields, file_digest, listed, read_predictions
from evalsuite.backends.settings import Settings
from evalsuite.errors import DataError, UnknownName, UsageError
from evalsuite.types import ExampleKey, Generation, JsonValue, Request

NEEDS = Needs(given=("--predictions FILE",))

SKIPPED = "skipped: no prediction"
"""The error of a generation that is left out under ``missing=skip``; its ``skipped`` is set."""

MOST_PREDICTIONS = 10_000_000
"""Of one file: they are kept in memory, some 200 bytes and the text for each."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """How a file and a split fit together, so far.

    matched: examples that found their prediction. missing: ids of examples without one, in the order asked.
    extra: ids in the file that no example asked for. duplicates: ids with differing predictions of which one was kept.
    """

    matched: int
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    duplicates: tuple[str, ...]

    def summary(self) -> str:
        """What a user should know, in one line; "" when every example and every prediction found its partner."""
        parts = []
        if self.missing:
            parts.append(f"{_count(len(self.missing), 'example')} without a prediction: {listed(self.missing)}")
        if self.extra:
            parts.append(f"{_count(len(self.extra), 'prediction')} for no example: {listed(self.extra)}")
        if self.duplicates:
            parts.append(f"{_count(len(self.duplicates), 'id')} with differing predictions: {listed(self.duplicates)}")
        return f"{_count(self.matched, 'prediction')} replayed; {'; '.join(parts)}" if parts else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class _Index:
    """The predictions of one file. Keys are (task, split, id); task and split are "" where the file has none.

    endings: why those ended of which the file says it.
    """

    path: Path
    texts: Mapping[tuple[str, str, str], str]
    endings: Mapping[tuple[str, str, str], str]
    duplicates: frozenset[tuple[str, str, str]]
    tasks: frozenset[str]

    def find(self, key: ExampleKey) -> tuple[str, str | None] | None:
        """The text and why it ended."""
        for task, split in ((key.task, key.split), (key.task, ""), ("", key.split), ("", "")):
            text = self.texts.get((task, split, key.id))
            if text is not None:
                return text, self.endings.get((task, split, key.id))
        return None

    def where(self, key: ExampleKey) -> str:
        """The file, for a message about an id that is not in it, with its tasks where they are the reason."""
        if "" in self.tasks or key.task in self.tasks:
            return str(self.path)
        return f"{self.path}, which is for {listed(sorted(self.tasks))}"

    def ids(self, task: str, split: str) -> list[str]:
        """Ids that could answer an example of this split, in the order of the file."""
        return [id_ for t, s, id_ in self.texts if t in ("", task) and s in ("", split)]


class ReplayBackend:
    """Looks every request up in a file. Not a model: prompts, images and decoding are not looked at."""

    def __init__(
        self,
        template: str,
        *,
        fields: Fields | None = None,
        missing: str = "error",
        duplicates: str = "refuse",
        attributes: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """``template``: path of the file, which may contain placeholders. Raises UsageError for a wrong option."""
        self._template, self._fields = template, fields or Fields()
        self._missing, self._duplicates = missing, duplicates
        self._attributes = {name: str(value) for name, value in (attributes or {}).items()}
        self._indexes: dict[Path, _Index] = {}
        self._matched: dict[tuple[str, str], set[str]] = {}
        self._unanswered: dict[tuple[str, str], dict[str, None]] = {}
        self._lock = threading.Lock()
        self._check_placeholders()

    @property
    def limits(self) -> BatchLimits:
        return BatchLimits(max_examples=1024)

    def files(self) -> list[Path]:
        """The files the template stands for that exist."""
        if not _PLACEHOLDER.search(self._template):
            return [path for path in [Path(self._template)] if path.is_file()]
        pattern = _fill(self._template, self._attributes.get, otherwise="*", fixed=glob.escape)
        return sorted(path for path in map(Path, glob.glob(pattern)) if path.is_file())

    def check_files(self) -> None:
        """Read every file now, so that a wrong one is found before the run. Raises UsageError or DataError."""
        files = self.files()
        if not files:
            raise UsageError(f"{self._template}: no such file of predictions (--predictions FILE)")
        for path in files:
            self._index(path)

    def describe(self) -> Mapping[str, JsonValue]:
        files = {str(path): file_digest(path) for path in self.files()}
        digests = "".join(files[name] for name in sorted(files))
        whole = digests if len(files) == 1 else hashlib.sha256(digests.encode()).hexdigest()
        return {
            "backend": "replay",
            "kind": "file of predictions",
            "path": self._template,
            "sha256": whole,
            "files": files,
            "options": {
                "missing": self._missing,
                "duplicates": self._duplicates,
                "id_field": self._fields.id,
                "text_field": self._fields.text,
            },
        }

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, payload=None, cost=1)

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        """Raises UsageError when a task's file is missing or holds differing predictions for one id."""
        return [self._answer(prepared.request.key) for prepared in batch]

    def close(self) -> None:
        self._indexes.clear()

    def report(self, task: str, split: str, *, also_asked: Iterable[str] = ()) -> ReplayReport:
        """What was matched, missing and left over in one split, among the requests answered so far.

        also_asked: ids that an earlier session of the same run asked for, so that they do not count as left over.
        """
        matched = self._matched.get((task, split), set())
        missing = self._unanswered.get((task, split), {})
        asked = matched.union(missing, also_asked)
        index = self._index(self.path(task, split))
        present = dict.fromkeys(index.ids(task, split))
        doubled = {id_ for t, s, id_ in index.duplicates if t in ("", task) and s in ("", split)}
        return ReplayReport(
            matched=len(matched),
            missing=tuple(missing),
            extra=tuple(id_ for id_ in present if id_ not in asked),
            duplicates=tuple(id_ for id_ in present if id_ in doubled),
        )

    def _answer(self, key: ExampleKey) -> Generation:
        index = self._index(self.path(key.task, key.split))
        found = index.find(key)
        where = (key.task, key.split)
        if found is not None:
            self._matched.setdefault(where, set()).add(key.id)
            text, ended = found
            return Generation(key, text, ended=ended)
        self._unanswered.setdefault(where, {})[key.id] = None
        if self._missing == "empty":
            return Generation(key, "")
        if self._missing == "skip":
            return Generation(key, "", error=SKIPPED, skipped=True)
        return Generation(key, "", error=f"no prediction for this id in {index.where(key)}")

    def path(self, task: str, split: str) -> Path:
        """The file for one split of a task."""
        values = {**self._attributes, "task": task, "split": split}
        return Path(_fill(self._template, values.get))

    def _index(self, path: Path) -> _Index:
        with self._lock:
            if path not in self._indexes:
                self._indexes[path] = _load(path, self._fields, self._duplicates)
            return self._indexes[path]

    def _check_placeholders(self) -> None:
        known = {"task", "split", *self._attributes}
        for name in _PLACEHOLDER.findall(self._template):
            if name not in known:
                raise UnknownName("placeholder", name, known, f"--predictions {self._template}")


def create(options: BackendOptions) -> ReplayBackend:
    """The backend for these options, its files read. Raises UsageError or DataError that says what does not fit."""
    backend = _configured(options)
    backend.check_files()
    return backend


def check(options: BackendOptions) -> None:
    """Raise what ``create`` would raise."""
    create(options).close()


def answers_identity(options: BackendOptions, task: str, split: str) -> Facts:
    """The file that answers one split of a task; {} where there is none yet."""
    path = _configured(options).path(task, split)
    return {f"predictions {path}": file_digest(path)} if path.is_file() else {}


def _configured(options: BackendOptions) -> ReplayBackend:
    settings = Settings("replay", options.options)
    template = settings.text("predictions", "")
    fields = Fields(settings.text("id_field", "") or None, settings.text("text_field", "") or None)
    missing = settings.choice("missing", ("error", "empty", "skip"), "error")
    duplicates = settings.choice("duplicates", ("refuse", "first", "last"), "refuse")
    settings.finish()
    if not template:
        raise UsageError(f"backend 'replay' needs the file of predictions: {' '.join(NEEDS.given)}")
    return ReplayBackend(template, fields=fields, missing=missing, duplicates=duplicates, attributes=options.attributes)


def _fill(
    template: str,
    value: Callable[[str], str | None],
    otherwise: str = "",
    fixed: Callable[[str], str] = str,
) -> str:
    """``template`` with its placeholders replaced. ``fixed`` is applied to everything but ``otherwise``."""
    parts = _PLACEHOLDER.split(template)  # text, name, text, name, ..., text
    filled = []
    for place, part in enumerate(parts):
        known = value(part) if place % 2 else part
        filled.append(otherwise if known is None else fixed(known))
    return "".join(filled)


def _load(path: Path, fields: Fields, duplicates: str) -> _Index:
    texts: dict[tuple[str, str, str], str] = {}
    endings: dict[tuple[str, str, str], str] = {}
    differing: dict[tuple[str, str, str], None] = {}
    for number, line in enumerate(read_predictions(path, fields), 1):
        if number > MOST_PREDICTIONS:
            raise DataError(f"{path}: more than {MOST_PREDICTIONS:,} predictions; give each task a file of its own")
        key = (line.task, line.split, line.id)
        before = texts.get(key)
        if before is not None and before != line.text:
            differing[key] = None
        if before is None or duplicates == "last":
            texts[key] = line.text
            endings.pop(key, None)
            if line.ended is not None:
                endings[key] = line.ended
    if not texts:
        raise DataError(f"{path}: holds no predictions")
    if differing and duplicates == "refuse":
        ids = listed([id_ for _, _, id_ in differing])
        way_out = "Repair the file, or choose with --option duplicates=first|last"
        raise UsageError(f"{path}: ids with differing predictions: {ids}. {way_out}")
    return _Index(path, texts, endings, frozenset(differing), frozenset(task for task, _, _ in texts))
