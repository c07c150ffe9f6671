"""JMESPath expressions over one record: compiling them, and the columns they read.

JMESPath (https://jmespath.org) can only look at the record it is given, so a spec cannot run code. The functions beyond
its own are in :mod:`evalsuite.data.expression_functions`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath import exceptions, functions, visitor

from evalsuite.data.expression_functions import MAX_PERMUTED_PARTS, PURE, WIDEST
from evalsuite.errors import ExampleError, SpecError, did_you_mean
from evalsuite.types import Record

LONGEST_EXPRESSION = 2_000
MOST_GROWTH = 10_000
"""How many times larger than the record an expression may make its value: any_order alone may give 720 texts of one."""

UNUSABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, ExampleError)
"""What an expression raises on a record of another form than it was written for; JMESPath's own are ValueErrors."""

Getter = Callable[[Record], Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a record that a mapping reads.

    needed: all that it may look at; None when it looks at the whole record.
    required: those without which it cannot give a value.
    """

    needed: frozenset[str] | None
    required: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. ``get(record)`` gives its value, None where the record has none.

    ``get`` raises one of UNUSABLE when a function cannot use its arguments.
    """

    text: str
    get: Getter
    columns: Columns


FUNCTIONS = (*sorted([*PURE, "image_size"]),)


def compile_expression(expression: str, image_size: Callable[[Any], list[int]] | None = None) -> Expression:
    """Checks an expression and makes it callable. ``image_size`` is what the function of that name calls.

    Raises SpecError for a mistake of syntax or an unknown function.
    """
    if len(expression) > LONGEST_EXPRESSION:
        shown = f"{expression[:60]!r}…"
        raise SpecError([f"expression {shown}: has {len(expression):,} characters; at most {LONGEST_EXPRESSION:,}"])
    table = _function_table(image_size)
    try:
        tree = jmespath.compile(expression).parsed
        nodes = list(_nodes(tree))
    except RecursionError:
        raise SpecError([f"expression {expression[:60]!r}…: nested too deeply"]) from None
    except (exceptions.JMESPathError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SpecError([f"expression {expression!r} is not valid JMESPath: {reason}"]) from None
    for node in nodes:
        if node["type"] == "function_expression" and node["value"] not in table:
            known = did_you_mean(node["value"], table)
            raise SpecError([f"expression {expression!r}: unknown function {node['value']!r}. {known}"])
    if _growth(tree) > MOST_GROWTH:
        reason = f"may give a value of more than {MOST_GROWTH:,} times the size of the record"
        raise SpecError([f"expression {expression!r}: {reason}"])
    return Expression(expression, _getter(tree, table), columns_of(tree))


def _function_table(image_size: Callable[[Any], list[int]] | None) -> dict[str, Any]:
    """JMESPath's own functions and ours, in its form: {name: {function, signature}}."""

    def method(call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda _self, *arguments: call(*arguments)

    calls = {**PURE, "image_size": (1, image_size or _no_images)}
    ours = {
        name: {"function": method(call), "signature": [{"types": []}] * arity} for name, (arity, call) in calls.items()
    }
    return {**functions.Functions.FUNCTION_TABLE, **ours}


def _no_images(_image: Any) -> list[int]:
    raise ValueError("image_size() cannot be used here")


def _getter(tree: dict[str, Any], table: dict[str, Any]) -> Getter:
    if tree["type"] == "field":  # a bare column name, by far the most common: no interpreter
        name = tree["value"]
        return lambda record: record.get(name)
    callable_functions = functions.Functions()
    callable_functions.FUNCTION_TABLE = table
    interpreter = visitor.TreeInterpreter(visitor.Options(custom_functions=callable_functions))
    return lambda record: interpreter.visit(tree, record)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree["children"]:
        if isinstance(child, dict):
            yield from _nodes(child)


_ORDERS = math.factorial(MAX_PERMUTED_PARTS)


def _growth(node: dict[str, Any]) -> float:
    """How many times larger than what it is given the value of an expression may be.

    ``[@, @]`` doubles it, and so does each further step behind a pipe: thirty of them would fill any memory.
    """
    kind, children = node["type"], [child for child in node["children"] if isinstance(child, dict)]
    if kind == "literal":
        return len(json.dumps(node["value"]))
    if kind in ("comparator", "not_expression"):
        return 1.0
    parts = [_growth(child) for child in children]
    if kind in _APPLIED_IN_TURN:
        return math.prod(parts[:2] if kind == "filter_projection" else parts)  # a filter's third is its condition
    if kind == "function_expression":
        name = node["value"]
        multiplies = name in ("join", "map", "replace")
        return max(1.0, math.prod(parts) if multiplies else sum(parts)) * _GROWING.get(name, 1)
    return max(1.0, sum(parts))


_APPLIED_IN_TURN = ("subexpression", "index_expression", "projection", "value_projection", "filter_projection", "pipe")
_GROWING = {"any_order": _ORDERS, "padded": WIDEST, "to_string": 12}
"""Functions whose values are so many times larger than their arguments (an escape stands for a sign)."""


def columns_of(tree: dict[str, Any]) -> Columns:
    """Columns that a parsed expression reads, see :class:`Columns`."""
    kind, children = tree["type"], [child for child in tree["children"] if isinstance(child, dict)]
    if kind == "field":
        return Columns(frozenset([tree["value"]]), frozenset([tree["value"]]))
    if kind in ("current", "identity"):
        return Columns(None, frozenset())
    if kind == "literal":
        return Columns(frozenset(), frozenset())
    if kind in _FIRST_CHILD_READS_RECORD:  # what follows looks into what the first child gave
        return columns_of(children[0]) if children else Columns(None, frozenset())
    if kind == "expref":  # looks into the elements of a list
        return Columns(frozenset(), frozenset())
    found = [columns_of(child) for child in children]
    merged = merge_columns(found)
    if kind == "comparator" and any(child["type"] == "literal" and child["value"] is None for child in children):
        return Columns(merged.needed, frozenset())
    if kind in _ACCEPT_NULL or (kind == "function_expression" and tree["value"] == "not_null"):
        # A comparison inside still needs its columns: without them it would be false without a word.
        strict = [part for part, child in zip(found, children, strict=True) if child["type"] in _LOGICAL]
        return Columns(merged.needed, merge_columns(strict).required)
    return merged


_FIRST_CHILD_READS_RECORD = (
    "subexpression",
    "index_expression",
    "projection",
    "value_projection",
    "filter_projection",
    "flatten",
    "pipe",
)
_ACCEPT_NULL = ("or_expression", "and_expression", "not_expression")
_LOGICAL = (*_ACCEPT_NULL, "comparator")


def merge_columns(parts: Iterable[Columns]) -> Columns:
    """All columns of several expressions together."""
    needed: frozenset[str] | None = frozenset()
    required: frozenset[str] = frozenset()
    for part in parts:
        needed = None if needed is None or part.needed is None else needed | part.needed
        required |= part.required
    return Columns(needed, required)
