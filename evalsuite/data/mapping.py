"""From a record in the data set's columns to an Example, by the expressions of a task spec."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.data.expression_functions import text
from evalsuite.data.expressions import UNUSABLE, Columns, Expression, compile_expression, merge_columns
from evalsuite.data.visuals import MediaFolder
from evalsuite.errors import ExampleError, SpecError, did_you_mean
from evalsuite.types import Example, ExampleKey, JsonValue, Record, Visual

if TYPE_CHECKING:
    from evalsuite.specs.parts import Fields
    from evalsuite.specs.schema import TaskSpec

SPLIT = "split_name"
DEEPEST = 64
"""Levels of a reference: it is written and read again as JSON, which has a limit of its own."""

_JSON_TYPES = (str, int, float, bool, dict, list, tuple)


@dataclass(frozen=True, slots=True)
class BadExample:
    """A record that could not become an Example. It counts: a run stores it as an error row.

    references, strata: those that could be read; None and {} otherwise. has_id: whether the id is the data's; else its
    position stands for it.
    """

    key: ExampleKey
    position: int
    error: str
    references: Sequence[JsonValue] | None
    strata: Mapping[str, str]
    has_id: bool = True


class Mapper:
    """The compiled ``fields`` of one task.

    media_root: folder that relative image and video paths start from; no path may leave it. None: paths are refused.
    trusted_roots: further folders that absolute paths may point into (where a source itself unpacked media).
    Raises SpecError when an expression does not compile.
    """

    def __init__(
        self, spec: TaskSpec, fields: Fields, media_root: Path | None, trusted_roots: Sequence[Path] = ()
    ) -> None:
        self._task = spec.id
        self._frames, self._stride = spec.image.frames or 1, spec.image.stride or 1
        self._media = MediaFolder(media_root, trusted_roots)
        named = _named(fields)
        self._all = _compiled(spec.id, named, self._media.size)
        self._explode = self._all.pop("explode", None)
        self._where = self._all.get("where")
        self._outline = self._all.get("outline")
        self._segment = self._all.get("segment")
        self._id, self._references = self._all["id"], self._all["references"]
        self._images = [(name, self._all[name]) for name in named if name.startswith("images")]
        self._video = self._all.get("video")
        self._values = {name: self._all[f"values.{name}"] for name in fields.values}
        self._strata = {name: self._all[f"strata.{name}"] for name in fields.strata}
        self.columns = self._columns()
        self._required = self.columns.required
        self._sees_position = self.columns.needed is None or "position" in self.columns.needed
        self._sees_split = self.columns.needed is None or SPLIT in self.columns.needed

    @property
    def one_to_one(self) -> bool:
        """Whether every record becomes exactly one example."""
        return self._explode is None and self._where is None

    def map(self, record: Record, split: str, position: int, place: int | None = None) -> list[Example | BadExample]:
        """The examples of a record.

        position: running number, in the split, of its first example. place: the record's own number, the same as
        ``position`` unless records explode or are left out.
        """
        scopes = self.scopes(record, position if place is None else place, split)
        return [self.example(scope, split, position + number) for number, scope in enumerate(scopes)]

    def scopes(self, record: Record, place: int, split: str = "") -> Iterator[Record]:
        """What the expressions see, once per example: the record with ``position`` (its ``place`` in the source) and
        ``split_name``, unless it has such columns, and with ``item`` and ``index`` where it explodes. Those that
        ``where`` leaves out are not among them.

        A record whose ``explode`` or ``where`` cannot be read is handed on as it is; :meth:`example` then explains the
        error.
        """
        if self._sees_position:
            record = {"position": place, **record}
        if self._sees_split:
            record = {SPLIT: split, **record}
        if self._explode is None:
            if self._chosen(record):
                yield record
            return
        try:
            items = self._explode.get(record)
        except UNUSABLE:
            items = None
        if not isinstance(items, list):
            yield record
            return
        for index, item in enumerate(items):
            scope = {**record, "item": item, "index": index}
            if self._chosen(scope):
                yield scope

    def _chosen(self, scope: Record) -> bool:
        if self._where is None or not self._where.columns.required <= scope.keys():
            return True
        try:
            return bool(self._where.get(scope))
        except UNUSABLE:
            return True

    def example(self, scope: Record, split: str, position: int) -> Example | BadExample:
        """One of :meth:`scopes` as an Example, or as a BadExample that names the field and the expression."""
        try:
            self._check_columns(scope)
            return Example(
                ExampleKey(self._task, split, _text("id", self._id, scope)),
                position,
                self._visuals(scope),
                {name: _text(f"values.{name}", get, scope) for name, get in self._values.items()},
                self._reference_list(scope),
                {name: _text(f"strata.{name}", get, scope) for name, get in self._strata.items()},
                None if self._outline is None else _box(self._outline, scope),
            )
        except ExampleError as error:
            return self._bad(scope, split, position, str(error))

    def _bad(self, scope: Record, split: str, position: int, error: str) -> BadExample:
        """Keeps what scoring needs of the record, so that the example counts in its groups."""
        has_id = True
        try:
            identifier = _text("id", self._id, scope)
        except ExampleError:
            identifier, has_id = f"position-{position}", False
        key = ExampleKey(self._task, split, identifier)
        references: Sequence[JsonValue] | None = None
        strata: dict[str, str] = {}
        try:
            references = self._reference_list(scope)
            strata = {name: _text(f"strata.{name}", get, scope) for name, get in self._strata.items()}
        except ExampleError:
            pass
        return BadExample(key, position, error, references, strata, has_id)

    def _check_columns(self, scope: Record) -> None:
        if self._explode is not None and "item" not in scope:
            raise ExampleError(f"field 'explode' (expression {self._explode.text!r}) gives no list")
        if self._where is not None:
            _readable("where", self._where, scope)
        if self._required <= scope.keys():
            return
        name = min(self._required - scope.keys())
        fields = [field for field, get in self._all.items() if name in get.columns.required]
        raise ExampleError(
            f"the record has no column {name!r}, which field {fields[0]!r} reads. {did_you_mean(name, scope.keys())}"
        )

    def _reference_list(self, scope: Record) -> Sequence[JsonValue]:
        value = _value("references", self._references, scope)
        if not isinstance(value, list):
            value = list(value) if isinstance(value, tuple) else [value]
        for item in value:
            if not isinstance(item, _JSON_TYPES):
                kind = "null" if item is None else type(item).__name__
                raise _field_error("references", self._references, f"holds {kind}, which is no reference")
            if isinstance(item, (dict, list)) and _depth_exceeds(item, DEEPEST):
                raise _field_error("references", self._references, f"is nested deeper than {DEEPEST} levels")
            if not _is_finite(item):
                raise _field_error("references", self._references, "holds a number that is not finite (NaN)")
        return value

    def _visuals(self, scope: Record) -> tuple[Visual, ...]:
        visuals: list[Visual] = []
        for name, expression in self._images:
            value = _value(name, expression, scope)
            for item in value if isinstance(value, (list, tuple)) else [value]:
                visuals.append(_named_error(name, expression, self._media.image, item))
        if self._video is not None:
            value = _value("video", self._video, scope)
            part = None if self._segment is None else _segment(self._segment, scope)
            clip = partial(self._media.clip, frames=self._frames, stride=self._stride, segment=part)
            visuals.append(_named_error("video", self._video, clip, value))
        return tuple(visuals)

    def _columns(self) -> Columns:
        """What the source must give: all that is read, less what is added here."""
        inside = merge_columns(get.columns for get in self._all.values())
        if self._explode is None:
            return Columns(inside.needed, inside.required - {"position", SPLIT})
        added = frozenset(["item", "index", "position", SPLIT])
        list_itself = self._explode.columns
        needed = None if inside.needed is None else inside.needed - {"item", "index"}
        return merge_columns([Columns(needed, inside.required - added), list_itself])


def _is_finite(value: Any) -> bool:
    """Whether no number inside is NaN or infinite: a box with such a side is no box, and no metric says so."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list) or all(map(_is_finite, value))


def _depth_exceeds(value: Any, levels: int) -> bool:
    """Whether lists and objects in ``value`` are nested deeper than that."""
    if not isinstance(value, (dict, list)):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_depth_exceeds(item, levels - 1) for item in inside if type(item) in (dict, list))


def _named(fields: Fields) -> dict[str, str]:
    """Field name, as messages show it -> expression."""
    names = ("explode", "where", "id", "video", "segment", "outline", "references")
    named: dict[str, str | None] = {name: getattr(fields, name) for name in names}
    named |= {f"images[{place}]": expression for place, expression in enumerate(fields.images)}
    named |= {f"values.{name}": expression for name, expression in fields.values.items()}
    named |= {f"strata.{name}": expression for name, expression in fields.strata.items()}
    return {name: expression for name, expression in named.items() if expression is not None}


def _compiled(task: str, named: Mapping[str, str], size: Callable[[Any], list[int]]) -> dict[str, Expression]:
    compiled, problems = {}, []
    for name, expression in named.items():
        try:
            compiled[name] = compile_expression(expression, size)
        except SpecError as error:
            problems += [f"{task}: fields.{name}: {problem}" for problem in error.problems]
    if problems:
        raise SpecError(problems)
    return compiled


def _value(name: str, expression: Expression, scope: Record) -> Any:
    """The field's value. Raises ExampleError naming field and expression when there is none."""
    try:
        value = expression.get(scope)
    except UNUSABLE as error:
        raise _field_error(name, expression, str(error)) from error
    if value is None:
        raise _field_error(name, expression, "gives nothing")
    return value


def _readable(name: str, expression: Expression, scope: Record) -> None:
    """Raises ExampleError when the expression cannot be read on this record; its value may be nothing."""
    try:
        expression.get(scope)
    except UNUSABLE as error:
        raise _field_error(name, expression, str(error)) from error


def _box(expression: Expression, scope: Record) -> tuple[float, float, float, float]:
    left, top, right, bottom = _numbers("outline", expression, scope, ("left", "top", "right", "bottom"))
    return left, top, right, bottom


def _segment(expression: Expression, scope: Record) -> tuple[float, float]:
    start, end = _numbers("segment", expression, scope, ("start", "end"))
    return start, end


def _numbers(name: str, expression: Expression, scope: Record, meaning: Sequence[str]) -> list[float]:
    """As many finite numbers as ``meaning`` has names."""
    value = _value(name, expression, scope)
    numbers = [float(item) for item in value if isinstance(item, (int, float))] if isinstance(value, list) else []
    if len(numbers) != len(meaning) or not all(math.isfinite(number) for number in numbers):
        raise _field_error(name, expression, f"gives {str(value)[:60]!r}, not [{', '.join(meaning)}]")
    return numbers


def _text(name: str, expression: Expression, scope: Record) -> str:
    value = _value(name, expression, scope)
    if type(value) is str:
        if not value and name == "id":
            raise _field_error(name, expression, "gives an empty text")
        return value
    try:
        return text(value)
    except ValueError as error:
        raise _field_error(name, expression, str(error)) from None


def _named_error(name: str, expression: Expression, make: Callable[[Any], Visual], value: Any) -> Visual:
    try:
        return make(value)
    except ExampleError as error:
        raise _field_error(name, expression, str(error)) from None


def _field_error(name: str, expression: Expression, reason: str) -> ExampleError:
    return ExampleError(f"field {name!r} (expression {expression.text!r}): {reason}")
