"""Digests of specs: what a number or a prediction depends on."""

from __future__ import annotations

import hashlib
import json

from evalsuite.specs.schema import TaskSpec

_INFERENCE_PARTS = {"data", "fields", "prompt", "image", "decoding", "splits"}


def inference_digest(spec: TaskSpec) -> str:
    """Digest of the part that predictions depend on; metrics and texts may change without it."""
    part = spec.model_dump(mode="json", include=_INFERENCE_PARTS)
    return hashlib.sha256(json.dumps(part, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
