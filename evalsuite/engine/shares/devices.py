"""``--devices``: the same run once per device, each process with its share."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from evalsuite.engine.observer import Observer
from evalsuite.errors import BackendError
from evalsuite.settings.file import config_text
from evalsuite.settings.run import CPU, RunConfig
from evalsuite.settings.shards import Shard

_SHOWN_LINES = 5


def answer_on_devices(config: RunConfig, folder: Path, observer: Observer) -> None:
    """Answer a share of the run in ``folder`` on each of ``config.devices``, and wait for all.

    Each process sees its GPU alone. One that fails leaves the others to finish: the same run again resumes all of them.
    Raises BackendError with the last lines of those that failed.
    """
    names = config.devices or ()
    settings = config_text(dataclasses.replace(config, devices=None, jobs=None, out=folder))
    processes = [_start(settings, Shard(number, len(names)), name) for number, name in enumerate(names)]
    tails = [_follow(process, number, observer) for number, process in enumerate(processes)]
    try:
        codes = [process.wait() for process in processes]
    except KeyboardInterrupt:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        raise
    failed = [number for number, code in enumerate(codes) if code]
    if failed:
        said = "; ".join(f"{_name(number, names[number])}: {' / '.join(tails[number])}" for number in failed)
        raise BackendError(f"{len(failed)} of {len(names)} processes failed in {folder}: {said}")


def _name(number: int, device: str) -> str:
    return f"shard {number} on {device if device == CPU else f'GPU {device}'}"


def _start(settings: str, shard: Shard, device: str) -> subprocess.Popen[str]:
    """Settings go through a pipe: a command line would show an address with a password to everybody."""
    environment = dict(os.environ)
    if device != CPU:
        environment["CUDA_VISIBLE_DEVICES"] = device
    process = subprocess.Popen(
        [sys.executable, "-m", "evalsuite", "run", "--config", "/dev/stdin", "--shard", str(shard)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert process.stdin is not None
    process.stdin.write(settings)
    process.stdin.close()
    return process


def _follow(process: subprocess.Popen[str], number: int, observer: Observer) -> deque[str]:
    """Pass on what a process says; its last lines are kept for when it fails."""
    last: deque[str] = deque(maxlen=_SHOWN_LINES)

    def read() -> None:
        for line in process.stderr or ():
            if line.strip():
                last.append(line.strip())
                observer.process_said(number, line.rstrip())

    threading.Thread(target=read, name=f"shard-{number}", daemon=True).start()
    return last
