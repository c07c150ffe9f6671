"""``--devices``: the same command once per device, each with its share."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from evalsuite.cli.printing import say
from evalsuite.errors import UsageError
from evalsuite.settings.shards import Shard

CPU = "cpu"
_SHOWN_LINES = 5
_OWN = ("--devices",)  # options that the processes do not get, with their values
_OWN_FLAGS = ("--json",)


def run_shards(devices: str, folder: Path, arguments: Sequence[str], *, quiet: bool) -> str:
    """Run ``evalsuite ARGUMENTS`` with a shard on each device, and wait for all; what went wrong, or "".

    devices: ``0,1,2,3`` for GPUs by number, ``cpu,cpu`` for processes without one. Each process sees its GPU alone.
    A process that fails leaves the others to finish: the same command again resumes all of them.
    """
    names = [name.strip() for name in devices.split(",")]
    for name in names:
        if name != CPU and not name.isdigit():
            raise UsageError(f"--devices {devices}: give numbers of GPUs such as 0,1,2,3, or cpu,cpu")
    processes = [_start(Shard(number, len(names)), name, arguments) for number, name in enumerate(names)]
    tails = [_follow(process, number, quiet) for number, process in enumerate(processes)]
    try:
        codes = [process.wait() for process in processes]
    except KeyboardInterrupt:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        raise
    failed = [number for number, code in enumerate(codes) if code]
    said = "; ".join(f"{_name(number, names)}: {' / '.join(tails[number])}" for number in failed)
    return f"{len(failed)} of {len(names)} processes failed in {folder}: {said}" if failed else ""


def _name(number: int, names: Sequence[str]) -> str:
    return f"shard {number} on {names[number] if names[number] == CPU else f'GPU {names[number]}'}"


def _start(shard: Shard, device: str, arguments: Sequence[str]) -> subprocess.Popen[str]:
    environment = dict(os.environ)
    if device != CPU:
        environment["CUDA_VISIBLE_DEVICES"] = device
    command = [sys.executable, "-m", "evalsuite", *_without_own(arguments), "--shard", str(shard)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )


def _without_own(arguments: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word in _OWN:
            skip = True
        elif word not in _OWN_FLAGS and not word.startswith(tuple(f"{name}=" for name in _OWN)):
            kept.append(word)
    return kept


def _follow(process: subprocess.Popen[str], number: int, quiet: bool) -> deque[str]:
    """Pass on what a process says, with its number; its last lines are kept for when it fails."""
    last: deque[str] = deque(maxlen=_SHOWN_LINES)

    def read() -> None:
        for line in process.stderr or ():
            if line.strip():
                last.append(line.strip())
                if not quiet:
                    say(f"[{number}] {line.rstrip()}", err=True)

    threading.Thread(target=read, name=f"shard-{number}", daemon=True).start()
    return last
