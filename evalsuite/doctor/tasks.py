"""Which tasks cannot work here, and which values of them are not those that papers publish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evalsuite.backends.installed import version_of
from evalsuite.errors import EvalsuiteError
from evalsuite.metrics import load_metric
from evalsuite.specs import TaskRegistry, TaskSpec
from evalsuite.specs.overrides import with_metric_options

SCORES, PUBLISHED, VIDEO = "scores", "published values", "--data hub and files"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Tasks that one thing blocks. blocks: what of them; the whole task where it is ``scores``."""

    blocks: str
    problem: str
    tasks: tuple[str, ...]


def tasks() -> list[Blocked]:
    """Tasks that share a problem stand together, in the order of the specs."""
    grouped: dict[tuple[str, str], list[str]] = {}
    specs, broken = _specs()
    for spec in specs:
        for blocks, problem in _problems(spec):
            grouped.setdefault((blocks, problem), []).append(spec.id)
    found = [Blocked(blocks, problem, tuple(dict.fromkeys(ids))) for (blocks, problem), ids in grouped.items()]
    return [*broken, *found]


def _specs() -> tuple[list[TaskSpec], list[Blocked]]:
    try:
        return TaskRegistry().select("all"), []
    except EvalsuiteError as error:  # a package that joins broken specs
        return TaskRegistry(plugins=False).select("all"), [Blocked(SCORES, str(error), ())]


def _problems(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    for use in with_metric_options(spec, {}).metrics:  # without the optional ones
        try:
            metric = load_metric(use.name, **use.parameters)
            metric.check()
        except EvalsuiteError as error:
            yield SCORES, str(error)
            continue
        if caution := metric.caution():
            yield PUBLISHED, caution
    if spec.fields.video and version_of("av") is None:
        yield VIDEO, "av is missing, which reads video files: pip install 'evalsuite[torch]'"
