"""The machine that was measured on, in a few facts."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

USEFUL = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")


def machine() -> dict[str, Any]:
    """processor, cores, memory in GB, instruction sets that matter here, load when asked, system and Python."""
    import psutil

    model, flags = _processor()
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "instructions": [name for name in USEFUL if name in flags],
        "load": round(os.getloadavg()[0], 1),
        "platform": platform.platform(),
        "python": sys.version.split()[0],
    }


def _processor() -> tuple[str, set[str]]:
    """Name and instruction sets, as Linux tells them; elsewhere what Python knows."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return platform.processor() or platform.machine(), set()
    lines = [line.split(":", 1) for line in file.read_text().splitlines() if ":" in line]
    facts = {name.strip(): value.strip() for name, value in lines}
    flags = facts.get("flags", facts.get("Features", ""))
    return facts.get("model name", platform.machine()), set(flags.split())
