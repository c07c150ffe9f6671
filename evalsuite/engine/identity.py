"""Whether the models of a run are still those that answered: facts of then and now, and what differs, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evalsuite.backends.base import HUB_COMMIT, Facts

_OF_FILES = 64  # hexadecimal digits of a digest, which says nothing to a reader


@dataclass(frozen=True)
class Identities:
    """Which models a run asks, and which files answer its splits."""

    models: Mapping[str | None, Facts]
    splits: Mapping[tuple[str, str], Facts]

    def naming(self) -> dict[str, str]:
        """What tells these models from others, for the name of a run's folder: new weights get a new run.

        Of a model on the hub that is its commit alone, as its files may not be here yet.
        """
        found: dict[str, str] = {}
        for model, facts in self.models.items():
            named = {HUB_COMMIT: facts[HUB_COMMIT]} if HUB_COMMIT in facts else facts
            found |= {f"{model or ''}: {name}": value for name, value in named.items()}
        for (task, split), facts in self.splits.items():
            found |= {f"{task}/{split}: {name}": value for name, value in facts.items()}
        return found


def changes(model: str | None, before: Facts, now: Facts) -> list[str]:
    """What decides answers and is not what it was, a clause each: ``the weights in best/model.safetensors changed``.

    Facts that cannot be known now (a hub that does not answer) are not compared, and neither are the files of a hub
    model, which its commit stands for.
    """
    return list(_changes(model, before, now))


def _changes(model: str | None, before: Facts, now: Facts) -> Iterator[str]:
    if HUB_COMMIT in before or HUB_COMMIT in now or not now:
        both = before.keys() & now.keys()
        before, now = ({name: facts[name] for name in both} for facts in (before, now))
    for name in sorted({*before, *now}):
        was, is_now = before.get(name), now.get(name)
        if was == is_now:
            continue
        shown = _shown(model, name, was or is_now or "")
        if was is None:
            yield f"{shown} came"
        elif is_now is None:
            yield f"{shown} went"
        elif len(was) == len(is_now) == _OF_FILES:
            yield f"{shown} changed"
        else:
            yield f"{shown} changed from {was} to {is_now}"


def _shown(model: str | None, name: str, value: str) -> str:
    kind, _, file = name.rpartition(" ")
    if len(value) != _OF_FILES or not kind:
        return f"the {name}"
    place = file if "/" in file or not model or model.endswith(file) else f"{model.rstrip('/')}/{file}"
    return f"the {kind} in {place}"


def changes_of_splits(before: Mapping[str, Facts], now: Mapping[str, Facts]) -> list[str]:
    """As :func:`changes`, of what answers single splits; those that only one command asked for are not compared."""
    return [clause for split in before.keys() & now.keys() for clause in changes(None, before[split], now[split])]
