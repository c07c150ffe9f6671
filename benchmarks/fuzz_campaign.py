"""Fuzz every reader of strangers' text for long, each in a process of its own, and print what came of it.

    python benchmarks/fuzz_campaign.py [--minutes 15] [--engine hypothesis|atheris|both] [--jobs 2] [--target NAME]...

Engines: hypothesis puts pieces of the languages together at random; atheris (pip install atheris) lets the coverage of
our code guide its changes. The targets are those of tests/security/fuzz_targets.py. A crash is any exception but
EvalsuiteError; its input is written to --keep. Seconds are of the processor, so that a busy machine makes no hang of an
ordinary input. Peak memory is that of the whole process, imports included.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMPILED = [
    f"evalsuite.metrics.{name}" for name in ("clipping", "coco_matching", "geometry", "gestalt", "hull_overlap")
]
COMPILED += [f"evalsuite.metrics.{name}" for name in ("similar_substructure", "tree_distance", "vqvae", "masks")]
"""numba compiles functions of these modules and cannot read code that atheris has put its counters into."""

SLOW = 5.0  # seconds of the processor: an input that takes longer counts as a hang
MEMORY = 8 << 30  # bytes of address space for a target: more is a crash


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / "security" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Counts:
    """What came of the inputs so far, written to a file now and then: the fuzzer may end the process at any time."""

    def __init__(self, place: Path, keep: Path, name: str) -> None:
        self.place, self.keep, self.name = place, keep, name
        self.inputs = self.crashes = self.slow = self.refused = 0
        self.slowest = 0.0
        self.kinds: dict[str, int] = {}
        self.begun = self.written = time.monotonic()

    def try_one(self, target: Any, text: str, expected: type[Exception]) -> None:
        start = time.process_time()
        try:
            target(text)
        except expected:
            self.refused += 1
        except Exception as error:
            self.crashes += 1
            kind = f"{type(error).__name__}: {str(error)[:80]}"
            if kind not in self.kinds:
                self._keep(text, f"crash-{len(self.kinds)}")
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        seconds = time.process_time() - start
        self.inputs += 1
        if seconds > SLOW:
            self.slow += 1
            self._keep(text, f"slow-{self.slow}")
        self.slowest = max(self.slowest, seconds)
        if time.monotonic() - self.written > 1:
            self.write()

    def write(self) -> None:
        self.written = time.monotonic()
        facts = {
            "inputs": self.inputs,
            "refused": self.refused,
            "crashes": self.crashes,
            "slow": self.slow,
            "slowest_seconds": round(self.slowest, 3),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "seconds": round(time.monotonic() - self.begun),
            "kinds": self.kinds,
        }
        self.place.write_text(json.dumps(facts))

    def _keep(self, text: str, what: str) -> None:
        self.keep.mkdir(parents=True, exist_ok=True)
        (self.keep / f"{self.name.replace(' ', '_')}-{what}.txt").write_bytes(text.encode("utf-8", "surrogatepass"))


def with_hypothesis(name: str, seconds: float, counts: Counts) -> None:
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from evalsuite.errors import EvalsuiteError

    fuzz = load("test_fuzz")
    warm_up(fuzz.targets, name)
    target, end = fuzz.targets.TARGETS[name], time.monotonic() + seconds
    quiet = settings(
        max_examples=2_000,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    while time.monotonic() < end:

        @seed(random.getrandbits(32))
        @quiet
        @given(fuzz.texts(name))
        def many(text: str) -> None:
            if time.monotonic() < end:
                counts.try_one(target, text, EvalsuiteError)

        many()
    counts.write()


def with_atheris(name: str, seconds: float, counts: Counts) -> None:
    import atheris

    with atheris.instrument_imports(include=["evalsuite", "jmespath"], exclude=COMPILED):
        from evalsuite.errors import EvalsuiteError

        targets = load("fuzz_targets")
    warm_up(targets, name)
    target = targets.TARGETS[name]
    folder = Path(tempfile.mkdtemp(prefix="evalsuite-fuzz-"))
    for number, seed in enumerate([*targets.SEEDS.get(name, ["a"]), *targets.FRAGMENTS]):
        (folder / str(number)).write_bytes(seed.encode("utf-8", "surrogatepass"))

    def one(data: bytes) -> None:
        counts.try_one(target, data.decode("utf-8", "replace"), EvalsuiteError)

    settings = [
        f"-max_total_time={int(seconds)}",
        "-timeout=60",
        "-rss_limit_mb=0",
        "-max_len=20000",
        "-print_final_stats=0",
    ]
    atheris.Setup([sys.argv[0], *settings, str(folder)], one)
    atheris.Fuzz()


def warm_up(targets: ModuleType, name: str) -> None:
    """Compile and import what the first inputs need, so that no input pays for it."""
    for text in targets.SEEDS.get(name, ["a"]):
        for part in (text, text[: len(text) // 2], text * 2):  # equal to the reference, and not
            with contextlib.suppress(Exception):
                targets.TARGETS[name](part)


ENGINES = {"hypothesis": with_hypothesis, "atheris": with_atheris}


def run_in_process(engine: str, name: str, seconds: float, keep: Path) -> dict[str, Any]:
    """The counts of one target; ``died`` says how its process ended when that was not by itself."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "counts.json"
        command = [sys.executable, __file__, "--one", name, "--engine", engine, "--seconds", str(seconds)]
        done = subprocess.run(
            [*command, "--counts", str(place), "--keep", str(keep)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            capture_output=True,
            text=True,
        )
        facts: dict[str, Any] = json.loads(place.read_text()) if place.exists() else {"inputs": 0}
    if done.returncode:
        facts["died"] = f"status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
    return {"engine": engine, "target": name, **facts}


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0, help="of the whole campaign")
    parser.add_argument("--engine", choices=[*ENGINES, "both"], default="hypothesis")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--target", action="append", help="one of the targets; all without it")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="folder for inputs that crash or hang")
    parser.add_argument("--json", type=Path, help="write the counts to this file too")
    for hidden, kind in (("--one", str), ("--seconds", float), ("--counts", Path)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        limit_memory()
        ENGINES[given.engine](given.one, given.seconds, Counts(given.counts, given.keep.resolve(), given.one))
        return
    names = given.target or list(load("fuzz_targets").TARGETS)
    engines = list(ENGINES) if given.engine == "both" else [given.engine]
    seconds = given.minutes * 60 * given.jobs / (len(names) * len(engines))
    work = [(engine, name) for engine in engines for name in names]
    with ThreadPoolExecutor(given.jobs) as pool:
        found = list(pool.map(lambda item: run_in_process(*item, seconds, given.keep.resolve()), work))
    heads = f"{'engine':<11} {'target':<26} {'inputs':>9} {'refused':>9} {'crashes':>8}"
    print(f"{heads} {'hangs':>6} {'slowest':>8} {'peak':>8}")
    for facts in found:
        print(
            f"{facts['engine']:<11} {facts['target']:<26} {facts['inputs']:>9,} {facts.get('refused', 0):>9,} "
            f"{facts.get('crashes', 0):>8} {facts.get('slow', 0):>6} {facts.get('slowest_seconds', 0):>6.2f} s "
            f"{facts.get('peak_mb', 0):>5} MB"
        )
        for kind, number in facts.get("kinds", {}).items():
            print(f"    {number} x {kind}")
        if "died" in facts:
            print(f"    its process ended with {facts['died']}")
    total = sum(facts["inputs"] for facts in found)
    bad = sum(facts.get("crashes", 0) + facts.get("slow", 0) + ("died" in facts) for facts in found)
    print(f"{total:,} inputs, {bad} crashes, hangs and ended processes")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
