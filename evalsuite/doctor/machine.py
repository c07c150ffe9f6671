"""The machine in a few facts, and its GPUs as their driver names them; no framework is asked."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from typing import Any

from evalsuite.backends.installed import version_of

SECONDS = 20  # nvidia-smi wakes GPUs that sleep


def machine() -> dict[str, Any]:
    """python, platform, cores, memory_gb; gpus by name, and notes on why there are none or who cannot use them."""
    import psutil

    gpus, notes = _gpus()
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "memory_gb": float(round(psutil.virtual_memory().total / 2**30, 1)),
        "gpus": gpus,
        "notes": notes,
    }


def _gpus() -> tuple[list[str], list[str]]:
    """NVIDIA's, else Apple's. Others are not looked for."""
    if sys.platform == "darwin":
        return (["Apple"], []) if platform.machine() == "arm64" else ([], [])
    program = shutil.which("nvidia-smi")
    if program is None:
        return [], ["the program nvidia-smi is not here"]
    command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], [f"{program} does not answer ({error})"]
    if done.returncode:
        return [], [f"{program} says: {' '.join((done.stdout + done.stderr).split()):.300}"]
    gpus = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return gpus, _notes() if gpus else ["nvidia-smi names none"]


def _notes() -> list[str]:
    """Why GPUs that are there may not be used."""
    notes = []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        notes.append(f"CUDA_VISIBLE_DEVICES={visible!r} says which of them programs see")
    torch = version_of("torch") or ""
    if torch.endswith("+cpu"):
        notes.append(f"torch {torch} is built for CPUs and uses none: install a CUDA build (https://pytorch.org)")
    if version_of("jax") and not _has_distribution("jax-cuda"):
        notes.append("jax is installed without CUDA and uses none: pip install 'jax[cuda12]' (or cuda13)")
    return notes


def _has_distribution(start: str) -> bool:
    """Whether a package is installed whose name begins so: ``jax-cuda12-plugin`` and its successors."""
    names = (found.metadata["Name"] for found in importlib.metadata.distributions())
    return any(name.lower().replace("_", "-").startswith(start) for name in names if name)
