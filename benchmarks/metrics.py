"""Speed of the metrics against the official or obvious implementations: same inputs, one run, ratios.

    python benchmarks/metrics.py [--only WORD]... [--scale 0.1] [--repeat 3] [--coco captions_val2017.json]

Prints a Markdown table. Each side runs in a forked process of its own, so that neither finds the other's caches; time
is wall time of the call without making the inputs, and the fastest of ``--repeat`` runs; memory is the peak above what
the process held before the call, with the processes it starts (ours / official). Where the official side covers
a part of the workload its time is extrapolated and marked with ~. The first run on a machine compiles kernels:
use ``--repeat 2`` there.

Workloads are the files of ``benchmarks/metric_workloads``; each has a function ``workloads(scale)`` that yields
(label, ours, official, fraction): two callables, and the share of the workload that the official one covers.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import multiprocessing
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(__file__).resolve().parent / "metric_workloads"
Workload = tuple[str, Callable[[], object], Callable[[], object], float]


@dataclass(frozen=True)
class Cost:
    """Wall seconds and peak megabytes of one call, or why it could not be made."""

    seconds: float = 0.0
    megabytes: float = 0.0
    failure: str = ""


def measure(call: Callable[[], object], repeat: int) -> Cost:
    """The fastest of several calls, each in a fork of this process."""
    costs = [_in_a_fork(call) for _ in range(repeat)]
    return min(costs, key=lambda cost: (cost.failure != "", cost.seconds))


def _in_a_fork(call: Callable[[], object]) -> Cost:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(call, there))
    process.start()
    there.close()
    try:
        cost: Cost = here.recv()
    except EOFError:
        cost = Cost(failure="the process died")
    process.join()
    return cost


def _child(call: Callable[[], object], pipe: Connection) -> None:
    before = _peak(resource.RUSAGE_SELF)
    started = time.perf_counter()
    try:
        with _output_to_nowhere():
            call()
        seconds = time.perf_counter() - started
        own = _peak(resource.RUSAGE_SELF) - before
        pipe.send(Cost(seconds, own + _peak(resource.RUSAGE_CHILDREN)))
    except ImportError as error:
        pipe.send(Cost(failure=f"{error.name or error} is not installed"))
    except Exception as error:
        traceback.print_exc()
        pipe.send(Cost(failure=f"{type(error).__name__}: {error}"))


def _peak(who: int) -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(who).ru_maxrss * unit / 1e6


@contextlib.contextmanager
def _output_to_nowhere() -> Iterator[None]:
    """Official programs print, and so do the processes they start. Errors are shown after all."""
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(nowhere)


def row(workload: Workload, repeat: int) -> str:
    """One line of the table."""
    label, ours, official, fraction = workload
    our_cost, official_cost = measure(ours, repeat), measure(official, repeat)
    if our_cost.failure or official_cost.failure:
        side = "evalsuite" if our_cost.failure else "official"
        seconds = "–" if our_cost.failure else f"{our_cost.seconds:.2f}"
        return f"| {label} | {seconds} | – | – | {side}: {our_cost.failure or official_cost.failure} |"
    whole = official_cost.seconds / fraction
    official_seconds = f"{whole:.2f}" if fraction == 1 else f"~{whole:.1f}"
    memory = f"{our_cost.megabytes:.0f} / {official_cost.megabytes:.0f}"
    return f"| {label} | {our_cost.seconds:.2f} | {official_seconds} | {whole / our_cost.seconds:.1f}x | {memory} |"


def areas() -> list[str]:
    """Names of the workload files."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def workloads(only: list[str], scale: float) -> Iterator[Workload]:
    """All workloads, or those with a word of ``only`` in the name of their file or in their label."""
    words = [word.lower() for word in only]
    in_labels = [word for word in words if not any(word in area for area in areas())]
    for area in areas():
        whole = not words or any(word in area for word in words)
        if whole or in_labels:
            for workload in importlib.import_module(f"benchmarks.metric_workloads.{area}").workloads(scale):
                if whole or any(word in workload[0].lower() for word in in_labels):
                    yield workload


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="a word of the workload file or of the label")
    parser.add_argument("--scale", type=float, default=1.0, help="share of each workload's size")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--coco", help="captions_val2017.json, for a workload of real captions")
    given = parser.parse_args()
    if not 0 < given.scale <= 1 or given.repeat < 1:
        parser.error("--scale must be above 0 and at most 1, --repeat at least 1")
    if given.coco:
        os.environ["EVALSUITE_BENCHMARK_COCO"] = given.coco
    sys.path.insert(0, str(ROOT))
    print("| workload | evalsuite, s | official, s | ratio | peak memory, MB |\n|---|---|---|---|---|", flush=True)
    shown = 0
    for workload in workloads(given.only, given.scale):
        print(row(workload, given.repeat), flush=True)
        shown += 1
    if not shown:
        sys.exit(f"no workload's file or label has {' or '.join(given.only)} in it; files: {', '.join(areas())}")


if __name__ == "__main__":
    main()
