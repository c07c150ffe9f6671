"""One task of up to a million examples through every verb, each in a process of its own: seconds and peak memory.

    python benchmarks/scale.py [--examples 10000,100000,1000000]

The backend answers at once (echo), so that what is measured is evalsuite: reading, planning, storing, scoring with
1,000 bootstrap resamples, reporting. Resuming finds everything stored. Time should grow with the number of examples and
memory hardly at all; what grows by design is one byte per example for what is done, and the statistics of a metric.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

from own_files import run_words, write_task  # noqa: E402


def rows(examples: int) -> Iterator[dict[str, str]]:
    for number in range(examples):
        answer = "yes" if number % 3 else "no"
        yield {"id": f"q{number}", "question": f"is {number} odd?", "answer": answer, "kind": f"k{number % 7}"}


def measured(folder: Path, *arguments: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of one command, with its children."""
    command = [sys.executable, "-m", "evalsuite", *arguments]
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"evalsuite {' '.join(arguments)} failed:\n{said.decode(errors='replace')[-2000:]}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def run_all(examples: int) -> dict[str, tuple[float, float]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_task(folder, rows(examples), stratum="kind")
        run = [*map(str, run_words(Path(), "echo", "out", "--option", "answer=yes", "--quiet"))]
        again = ["--specs", "specs", "--jobs", "1"]
        return {
            "plan (--dry-run)": measured(folder, *run, "--dry-run"),
            "run, score, report": measured(folder, *run, "--jobs", "1"),
            "resume (all is stored), score, report": measured(folder, *run, "--jobs", "1"),
            "score": measured(folder, "score", "out", *again),
            "report": measured(folder, "report", "out"),
        }


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", default="10000,100000,1000000")
    sizes = [int(size) for size in parser.parse_args(words).examples.split(",")]
    found = {size: run_all(size) for size in sizes}
    print("| seconds, peak MB | " + " | ".join(f"{size:,}" for size in sizes) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    for verb in found[sizes[0]]:
        cells = [f"{found[size][verb][0]:.1f} s, {found[size][verb][1]:.0f} MB" for size in sizes]
        print(f"| {verb} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
