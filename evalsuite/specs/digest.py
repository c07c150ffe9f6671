"""Digests of specs: what a prediction or a number depends on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from evalsuite.specs.schema import TaskSpec

_INFERENCE_PARTS = {"data", "fields", "prompt", "image", "decoding"}


def spec_digest(spec: TaskSpec) -> str:
    """sha256 (hex) of the spec's values as canonical JSON: comments, order and layout of the file do not count."""
    return _digest(spec.model_dump(mode="json"))


def inference_digest(spec: TaskSpec) -> str:
    """The same over the part that predictions depend on; metrics and texts may change without it.

    The hub's commit is not in it, since the fingerprint of the data is what says which records were read.
    """
    values = spec.model_dump(mode="json", include=_INFERENCE_PARTS)
    if values["data"]["hub"] is not None:
        del values["data"]["hub"]["revision"]
    return _digest(values)


def _digest(values: Any) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
