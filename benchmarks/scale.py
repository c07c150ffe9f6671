"""One task of up to a million examples through every verb, each in a process of its own: seconds and peak memory.

    python benchmarks/scale.py [--examples 10000,100000,1000000]

The backend answers at once (echo), so that what is measured is evalsuite: reading, planning, storing, scoring with
1,000 bootstrap resamples, reporting. Resuming finds everything stored. Time should grow with the number of examples and
memory hardly at all; what grows by design is one byte per example for what is done, and the statistics of a metric.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEC = """
id: many
version: 1
title: Many questions
family: vqa
description: Text questions whose answer is known.
citation: none
license: CC0-1.0
transfer: many
splits: [{name: test}]
data: {files: {format: records}}
fields: {id: id, references: answer, values: {question: question}, strata: {kind: kind}}
prompt: {prefix: "{question}"}
decoding: {max_new_tokens: 4}
metrics: [{name: exact_match, headline: true}]
"""


def write_task(folder: Path, examples: int) -> None:
    (folder / "specs").mkdir()
    (folder / "specs" / "many.yaml").write_text(SPEC)
    (folder / "data" / "many").mkdir(parents=True)
    with open(folder / "data" / "many" / "test.jsonl", "w") as file:
        for number in range(examples):
            answer = "yes" if number % 3 else "no"
            row = {"id": f"q{number}", "question": f"is {number} odd?", "answer": answer, "kind": f"k{number % 7}"}
            file.write(json.dumps(row) + "\n")


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
        write_task(folder, examples)
        run = ["run", "--backend", "echo", "--option", "answer=yes", "--tasks", "many", "--specs", "specs"]
        run += ["--data", "files", "--data-dir", "data", "--out", "out", "--quiet"]
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
