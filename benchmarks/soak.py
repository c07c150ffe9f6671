"""One long run that is stopped at random moments until it ends: what is lost, what is repeated, what it grows by.

    python benchmarks/soak.py [--hours 1.75] [--gaps 5 60] [--seed 0]

The backend sleeps most of the time, so that the run is long without keeping a core busy. A process of it is met, 5 to
60 seconds after its start, by kill -9, SIGTERM or Ctrl-C, and the same command is given again, until one ends by
itself. Predictions and results are then compared with those of an uninterrupted run (whose backend does not sleep).
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fault_campaign import World, results, stored

SIGNALS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}
PAUSE = 0.4  # seconds of the backend for a batch
PER_SECOND = 16  # examples: eight in PAUSE, less what restarts take


def ended(process: subprocess.Popen[str], seconds: float, peak: int = 0) -> tuple[bool, int]:
    """Whether a process ended within so many seconds, and the most memory in MB that it was seen with, ``peak`` before.

    As the system knows it while the process lives; what it reports at the end counts the memory of the process that
    started it, too.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            return True, peak
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max([peak, *(int(line.split()[1]) // 1024 for line in status.splitlines() if "VmHWM" in line)])
        time.sleep(0.05)
    return False, peak


class Soak:
    """What came of the processes so far."""

    def __init__(self, world: World, out: Path, gaps: tuple[float, float], chance: random.Random) -> None:
        self.world, self.out, self.gaps, self.chance = world, out, gaps, chance
        self.stops: Counter[str] = Counter()
        self.lost = self.repeated = self.asked = 0
        self.peaks: list[int] = []
        self.slowest = 0.0
        self.complaints: list[str] = []

    def once(self) -> bool:
        """Give the command once, and stop its process at a random moment; whether it ended by itself."""
        at_start = stored(self.out)
        process = self.world.start(self.out)
        alone, peak = ended(process, self.chance.uniform(*self.gaps))
        if not alone:
            name = self.chance.choice(list(SIGNALS))
            before = stored(self.out)
            begin = time.monotonic()
            process.send_signal(SIGNALS[name])
            over, peak = ended(process, 3600, peak)
            if not over:
                raise SystemExit(f"{name} did not end the process within an hour")
            self.slowest = max(self.slowest, time.monotonic() - begin)
            self.stops[name] += 1
            self.lost += len(before.keys() - stored(self.out).keys())
        assert process.stderr is not None
        complaint = process.stderr.read().strip()
        if "Traceback" in complaint or (alone and process.returncode):
            self.complaints.append(complaint[-300:])
        self.peaks.append(peak)
        asked = self.world.asked_ids(self.out)
        self.repeated += len(set(asked[self.asked :]) & at_start.keys())
        self.asked = len(asked)
        return alone


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.75, help="about how long it takes")
    parser.add_argument("--gaps", type=float, nargs=2, default=(5, 60), help="seconds until a process is stopped")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    # A shell that starts this in the background ignores Ctrl-C, and children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    examples = max(int(given.hours * 3600 * PER_SECOND), 96)
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), examples, pause=0)
        print(f"{examples:,} examples; without pauses and stops {world.seconds:.1f} s", file=sys.stderr, flush=True)
        world.pause = PAUSE
        soak = Soak(world, Path(name) / "out", tuple(given.gaps), random.Random(given.seed))
        begin = time.monotonic()
        while not soak.once():
            print(
                f"{time.monotonic() - begin:6.0f} s: {sum(soak.stops.values())} stops, {soak.asked:,} asked, "
                f"{soak.lost} lost, {soak.repeated} repeated, peak {soak.peaks[-1]} MB",
                file=sys.stderr,
                flush=True,
            )
        seconds = time.monotonic() - begin
        same = stored(soak.out) == world.rows, results(soak.out) == world.results
        again = soak.asked - examples
    stopped = soak.peaks[:-1] or soak.peaks
    few = max(1, min(10, len(stopped) // 2))
    rows = {
        "examples": f"{examples:,}",
        "hours": f"{seconds / 3600:.2f}",
        "stops": f"{sum(soak.stops.values())} ({', '.join(f'{n} {what}' for what, n in sorted(soak.stops.items()))})",
        "slowest end after a signal": f"{soak.slowest:.1f} s",
        "examples lost": soak.lost,
        "stored and asked again": soak.repeated,
        "asked again because they were under way": again,
        "predictions identical": "yes" if same[0] else "no",
        "results identical": "yes" if same[1] else "no",
        f"peak memory, median of the first {few} processes": f"{statistics.median(stopped[:few]):.0f} MB",
        f"peak memory, median of the last {few} that were stopped": f"{statistics.median(stopped[-few:]):.0f} MB",
        "peak memory of the one that ended, with scoring and report": f"{soak.peaks[-1]} MB",
    }
    print("| what | value |\n|---|---|")
    for what, value in rows.items():
        print(f"| {what} | {value} |")
    for complaint in soak.complaints[:5]:
        print(complaint, file=sys.stderr)
    return 0 if all(same) and not (soak.lost or soak.repeated or soak.complaints) else 1


if __name__ == "__main__":
    sys.exit(main())
