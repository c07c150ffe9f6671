"""Faults at random moments of whole runs, each in a process of its own: what survives, what is lost, what is repeated.

    python benchmarks/fault_campaign.py [--kills 200] [--others 30] [--seed 0] [--only TEXT]

Each try runs 96 examples on a backend that takes a while to load and to answer, is met by a fault, and is then given
the same command until it ends by itself, at most three times. ``survived``: that needed no other step, predictions and
results are those of an uninterrupted run, and nothing else lies in the folder; for damaged files also a refusal that
says what to do. ``lost``: examples that were seen stored before the fault and not after it. ``repeated``: examples that
were stored and asked again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

from own_files import results, run_words, stored, write_package, write_task  # noqa: E402

EXAMPLES = 96
WAY_OUT = ("Move the file away", "move the whole folder away", "restore it from a copy", "damaged rows are made again")

BACKEND = '''
"""Loads in 0.2 s and answers eight examples in PAUSE seconds; notes in the file ASKED whom it asked."""
import os, time
from evalsuite.backends.base import BatchLimits, Prepared
from evalsuite.types import Generation

class Noting:
    limits = BatchLimits(8)
    def describe(self): return {"backend": "noting"}
    def prepare(self, request): return Prepared(request, None, len(request.prompt))
    def generate(self, batch):
        with open(os.environ["ASKED"], "a") as file:
            file.write("".join(item.request.key.id + "\\n" for item in batch))
        time.sleep(float(os.environ["PAUSE"]))
        return [Generation(item.request.key, item.request.prompt) for item in batch]
    def close(self): pass

def create(options):
    time.sleep(0.2)
    return Noting()
'''


@dataclass
class Tally:
    """What became of the tries of one fault."""

    tried: int = 0
    survived: int = 0
    lost: int = 0
    repeated: int = 0
    identical: int = 0
    slowest: float = 0.0
    phases: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class World:
    """A folder with a task, a backend that answers eight examples in ``pause`` seconds, and one uninterrupted run."""

    def __init__(self, folder: Path, examples: int = EXAMPLES, pause: float = 0.03) -> None:
        self.folder, self.pause = folder, pause
        rows = (
            {"id": f"e{n}", "question": f"say {n}", "answer": f"say {n if n % 3 else 0}", "type": f"t{n % 4}"}
            for n in range(examples)
        )
        write_task(folder, rows, stratum="type", metrics=[{"name": "anls", "headline": True}, {"name": "exact_match"}])
        write_package(folder / "site", "noting", BACKEND)
        whole = folder / "whole"
        begin = time.monotonic()
        process = self.start(whole)
        complaint = process.communicate()[1]
        assert process.returncode == 0, complaint
        self.seconds = time.monotonic() - begin
        self.rows, self.results = stored(whole), results(whole)

    def start(self, out: Path) -> subprocess.Popen[str]:
        command = map(str, run_words(self.folder, "noting", out, "--quiet"))
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder / 'site'}",
            "ASKED": str(self.asked(out)),
            "PAUSE": str(self.pause),
            "OMP_WAIT_POLICY": "passive",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "evalsuite", *command],
            env=environment,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def asked(self, out: Path) -> Path:
        return self.folder / f"{out.name}.asked"

    def asked_ids(self, out: Path) -> list[str]:
        return self.asked(out).read_text().split() if self.asked(out).exists() else []


def phase(out: Path) -> str:
    """How far the run in this folder had come."""
    if (out / "report" / "index.html").exists():
        return "after the report"
    if (out / "results.json").exists():
        return "between results and report"
    rows = len(stored(out))
    if rows == EXAMPLES:
        return "all stored, scoring"
    if rows:
        return "answers being stored"
    return "begun, nothing stored" if (out / "manifest.json").exists() else "start-up and planning"


def moment(world: World, out: Path, process: subprocess.Popen[str], chance: random.Random) -> None:
    """Wait until a random moment: half of them anywhere in time, half just after something appeared on the disk."""
    begin = time.monotonic()
    until = chance.uniform(0, world.seconds * 1.1)
    rows = chance.randrange(1, EXAMPLES + 1)
    signs: list[Callable[[], bool]] = [
        lambda: (out / ".lock").exists(),
        lambda: (out / "manifest.json").exists(),
        lambda: len(stored(out)) >= rows,
        lambda: len(stored(out)) >= rows // 2,
        lambda: len(stored(out)) == EXAMPLES,
        lambda: (out / "results.json").exists(),
        lambda: (out / "report").exists(),
    ]
    sign = chance.choice(signs) if chance.random() < 0.5 else lambda: time.monotonic() - begin >= until
    while not sign() and process.poll() is None:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.02))


def finish(world: World, out: Path, tally: Tally) -> None:
    """Give the command again until it ends by itself, and compare."""
    for _ in range(3):
        before, asked = stored(out), len(world.asked_ids(out))
        process = world.start(out)
        trouble = process.communicate()[1].strip()[-300:]
        tally.repeated += len(set(world.asked_ids(out)[asked:]) & before.keys())
        if process.returncode == 0:
            break
    else:
        tally.failures.append(trouble)
        return
    leftovers = [path.name for path in out.rglob("*.tmp")]
    if stored(out) == world.rows and results(out) == world.results:
        tally.identical += 1
        tally.survived += not leftovers
    if stored(out) != world.rows or results(out) != world.results or leftovers:
        tally.failures.append(f"other predictions or results, or files left behind: {leftovers}")


def signalled(world: World, out: Path, chance: random.Random, tally: Tally, numbers: list[int], times: int) -> None:
    """Send these signals to a run, and to so many that resume it; then let it finish."""
    for _ in range(times):
        at_start, asked = stored(out), len(world.asked_ids(out))
        process = world.start(out)
        moment(world, out, process, chance)
        before = stored(out)
        tally.phases[phase(out) if process.poll() is None else "after the end"] += 1
        begin = time.monotonic()
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.05 if len(numbers) > 1 else 0)
        process.communicate()
        tally.slowest = max(tally.slowest, time.monotonic() - begin)
        tally.lost += len(before.keys() - stored(out).keys())
        tally.repeated += len(set(world.asked_ids(out)[asked:]) & at_start.keys())
    finish(world, out, tally)


def full_disk(world: World, out: Path, chance: random.Random, tally: Tally, disk: Path) -> None:
    """Fill the file system at a random moment; when the run has ended, make room and let it finish."""
    place = disk / out.name
    process = world.start(place)
    moment(world, place, process, chance)
    before = stored(place)
    tally.phases[phase(place) if process.poll() is None else "after the end"] += 1
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    complaint = process.communicate()[1]
    if "Traceback" in complaint:
        tally.failures.append(complaint[-300:])
    ballast.unlink()
    tally.lost += len(before.keys() - stored(place).keys())
    finish(world, place, tally)
    shutil.rmtree(place)


def damaged_file(world: World, out: Path, chance: random.Random, tally: Tally, name: str, cut: bool) -> None:
    """Cut a file of a finished run at a random byte, or overwrite a few of its bytes, and give the command again.

    What a sentence refuses, with the way out, survived as well: nothing was misread.
    """
    shutil.copytree(world.folder / "whole", out)
    path = out / name
    content = bytearray(path.read_bytes())
    at = chance.randrange(len(content))
    path.write_bytes(content[:at] if cut else content[:at] + bytes(chance.randbytes(8)) + content[at + 8 :])
    process = world.start(out)
    complaint = process.communicate()[1]
    same = process.returncode == 0 and stored(out) == world.rows and results(out) == world.results
    refused = process.returncode == 1 and any(words in complaint for words in WAY_OUT)
    tally.phases["made again" if same else "refused with the way out" if refused else "neither"] += 1
    tally.identical += same
    if (same or refused) and "Traceback" not in complaint:
        tally.survived += 1
    else:
        tally.failures.append(complaint.strip()[-300:] or "other results")


@contextlib.contextmanager
def small_disk(folder: Path) -> Any:
    """A file system of 60 MB, or None where it cannot be mounted."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)], capture_output=True)
    try:
        yield folder if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="tries of kill -9")
    parser.add_argument("--others", type=int, default=30, help="tries of every other fault")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="TEXT", default="", help="faults whose name holds this text")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory() as name, small_disk(Path(name) / "disk") as disk:
        world = World(Path(name))
        print(f"an uninterrupted run takes {world.seconds:.1f} s", file=sys.stderr)
        once, thrice = (lambda: 1), (lambda: chance.choice([2, 3]))
        faults: dict[str, tuple[int, Callable[[Path, Tally], None]]] = {
            "kill -9": (given.kills, lambda out, t: signalled(world, out, chance, t, [signal.SIGKILL], once())),
            "kill -9, two or three times": (
                given.others,
                lambda out, t: signalled(world, out, chance, t, [signal.SIGKILL], thrice()),
            ),
            "SIGTERM": (given.others, lambda out, t: signalled(world, out, chance, t, [signal.SIGTERM], 1)),
            "Ctrl-C twice": (
                given.others,
                lambda out, t: signalled(world, out, chance, t, [signal.SIGINT, signal.SIGINT], 1),
            ),
            "store cut": (given.others, lambda out, t: damaged_file(world, out, chance, t, "predictions.sqlite", True)),
            "store overwritten": (
                given.others,
                lambda out, t: damaged_file(world, out, chance, t, "predictions.sqlite", False),
            ),
            "manifest cut": (given.others, lambda out, t: damaged_file(world, out, chance, t, "manifest.json", True)),
            "results cut": (given.others, lambda out, t: damaged_file(world, out, chance, t, "results.json", True)),
        }
        if disk is not None:
            faults["full disk"] = (given.others, lambda out, t: full_disk(world, out, chance, t, disk))
        for fault, (tries, meet) in faults.items():
            if given.only not in fault:
                continue
            tally = tallies.setdefault(fault, Tally())
            for number in range(tries):
                out = Path(name) / f"{fault.replace(' ', '-').replace(',', '')}-{number}"
                tally.tried += 1
                meet(out, tally)
                shutil.rmtree(out, ignore_errors=True)
            print(f"{fault}: {dict(tally.phases)}, slowest end {tally.slowest:.1f} s", file=sys.stderr)
            for failure in tally.failures[:5]:
                print(f"  {failure}", file=sys.stderr)
    print("| fault | tried | survived | examples lost | repeated | results identical |\n|---|---|---|---|---|---|")
    for fault, tally in tallies.items():
        cells = (fault, tally.tried, tally.survived, tally.lost, tally.repeated, tally.identical)
        print("| " + " | ".join(map(str, cells)) + " |")
    return 0 if all(not tally.failures and not tally.lost for tally in tallies.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
