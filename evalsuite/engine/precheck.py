"""``--on-error stop``: every example is read and every image opened before a model is loaded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from evalsuite.asking.requests import RequestBuilder
from evalsuite.backends.base import BatchLimits, Prepared
from evalsuite.data import BadExample
from evalsuite.engine.preparing import Failed, prepare_ahead
from evalsuite.errors import DataError
from evalsuite.types import Request

if TYPE_CHECKING:
    from evalsuite.engine.plan import SplitPlan, TaskPlan
    from evalsuite.settings.run import RunConfig

SHOWN = 20


class _Opening:
    """Stands where a backend prepares requests: it opens the frames and keeps nothing."""

    limits = BatchLimits(16)

    def prepare(self, request: Request) -> Prepared:
        for visual in request.visuals:
            visual.frames()
        return Prepared(request, None, 1)


def refuse_broken_examples(tasks: Sequence[TaskPlan], config: RunConfig) -> None:
    """Read all examples that the tasks are about to ask. Raises DataError that names the broken ones by task and id."""
    broken = (problem for task in tasks for split in task.splits for problem in _broken(task, split, config))
    found = list(islice(broken, SHOWN + 1))
    if found:
        more = [f"… and more than these {SHOWN}"] if len(found) > SHOWN else []
        raise DataError("\n".join([*found[:SHOWN], *more, "Nothing was asked (--on-error stop)."]))


def _broken(task: TaskPlan, split: SplitPlan, config: RunConfig) -> Iterator[str]:
    build = RequestBuilder(task.spec)
    bad: list[str] = []
    seen: set[str] = set()

    def requests() -> Iterator[Request]:
        for example in task.data.examples(split.name, stop=split.stop):
            if isinstance(example, BadExample):
                bad.append(f"{example.key}: {example.error}")
            elif example.key.id in seen:
                bad.append(f"{example.key}: the id occurs twice in the data, again at position {example.position}")
            else:
                yield build(example)
            if not isinstance(example, BadExample) or example.has_id:
                seen.add(example.key.id)

    if not config.needs_images:
        for _ in requests():
            yield from bad
            bad.clear()
        yield from bad
        return
    workers = config.workers or os.cpu_count() or 1
    with contextlib.closing(prepare_ahead(requests(), _Opening(), workers, config.time_limit)) as opened:
        for item in opened:
            yield from bad
            bad.clear()
            if isinstance(item, Failed):
                yield f"{item.request.key}: {item.error}"
    yield from bad
