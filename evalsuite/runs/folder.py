"""A run folder: its name, and the names of what lies in it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from evalsuite.runs.store import FILE_NAME

MANIFEST, RESULTS, RESULTS_PARQUET, STORE, LOCK, LOG = (
    "manifest.json",
    "results.json",
    "results.parquet",
    FILE_NAME,
    ".lock",
    "failures.log",
)
REPORT = "report"
STUDY = "study.json"
"""In the folder of a study: what its runs are."""


def run_name(parts: Mapping[str, Any]) -> str:
    """A readable name made from what a run is: the same command gives the same name.

    >>> run_name({"backend": "torch", "model": "tiny", "tasks": "vqav2", "limit": None})
    'torch-tiny-vqav2-add55c9c'
    """
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
    words = [str(parts.get(name) or "") for name in ("backend", "model", "tasks")]
    slug = "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", word).strip("_")[-32:] for word in words if word)
    return f"{slug}-{digest}"
