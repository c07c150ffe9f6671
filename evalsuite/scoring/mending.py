"""Results that were changed or damaged on disk, made again from the stored answers."""

from __future__ import annotations

from pathlib import Path

from evalsuite.errors import EvalsuiteError, StoreError, caution
from evalsuite.runs.lock import locked
from evalsuite.runs.manifest import IMPORTED, read_manifest
from evalsuite.runs.results import DamagedResults, are_those_written, read_results, scored_with, write_results
from evalsuite.scoring.run import computed
from evalsuite.specs import TaskRegistry


def mend_results(folder: Path) -> None:
    """Make the results of a run again where they are not those that were written, and say so; else do nothing.

    They are made as they were before, and only taken when they come out the same to the byte: no number changes
    unseen because a file was damaged. Raises StoreError, with the way out, when that is not possible.
    """
    try:
        read_results(folder)
    except OSError:  # there are none
        return
    except DamagedResults as damage:
        if read_manifest(folder)["run"]["backend"] == IMPORTED:
            raise
        try:
            _make_again(folder)
        except EvalsuiteError as error:
            raise StoreError(f"{damage}. It was tried just now: {error}") from error
        caution(f"{damage.what}. It was made again from the stored answers, as it was")


def _make_again(folder: Path) -> None:
    settings = scored_with(folder)
    with locked(folder, "score", make=False):
        scored = computed(
            folder,
            TaskRegistry(),
            resamples=int(settings.get("resamples", 1000)),
            metric_options=settings.get("metric_options"),
            protocol=settings.get("protocol"),
        )
        if not are_those_written(folder, scored.rows):
            why = "; ".join(f"{task}: {message}" for task, message in scored.failures.items())
            raise StoreError(why or "the values come out otherwise, by other specs or another version than before")
        write_results(folder, scored.rows, scored.settings)
