"""Examples that get one verdict together: pairs of questions, views of an object."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any


def shares(members: Iterable[tuple[Hashable, Hashable]]) -> dict[tuple[Hashable, Hashable], float]:
    """How much of its group's verdict each example carries, so that sums over examples are sums over groups.

    ``members``: (group, what tells an example from others of its group), in data set order. The first of a group
    carries everything, unless others cannot be told from it: then each of them carries an equal part. Whole verdicts on
    single examples give resampled examples the spread of resampled groups; divided among its members, a verdict would
    look as certain as several.

    >>> shares([("x", 1), ("x", 2), ("y", 1), ("y", 1)])
    {('x', 1): 1.0, ('y', 1): 0.5}
    """
    first: dict[Hashable, Hashable] = {}
    alike: Counter[tuple[Hashable, Hashable]] = Counter()
    for group, member in members:
        if first.setdefault(group, member) == member:
            alike[group, member] += 1
    return {key: 1 / count for key, count in alike.items()}


def content(reference: Mapping[str, Any]) -> str:
    """A reference as text, equal for references that are equal."""
    return json.dumps(reference, sort_keys=True, default=str)
