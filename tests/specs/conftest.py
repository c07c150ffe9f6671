"""A small valid spec as text, and a writer for variations of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SPEC = """\
# Signs: what does the sign say?
id: signs
version: 1
title: Signs
family: vqa
description: Questions about street signs.
citation: A. Uthor, Signs, 2024
license: CC BY 4.0
transfer: signs
splits:
  - {name: test, size: 10}
rows:
  - {name: Signs, split: test, stratum: {light: night}}
data:
  files:
    note: one record per question
fields:
  id: id
  images: [photo]
  references: answers
  values:
    question: question
  strata:
    light: light
prompt:
  prefix: "answer en {question}"
  max_tokens: 32
decoding:
  max_new_tokens: 16
metrics:
  - name: anls
    parameters: {threshold: 0.5}
    headline: true
"""

Write = Callable[..., Path]


@pytest.fixture
def write_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """``write_spec(("old", "new"), ..., name="my.yaml")`` writes the spec with these replacements.

    Its folder becomes the current one, so that messages name the file alone.
    """
    monkeypatch.chdir(tmp_path)

    def write(*changes: tuple[str, str], name: str = "my.yaml") -> Path:
        text = SPEC
        for old, new in changes:
            assert old in text, f"the example spec has no {old!r}"
            text = text.replace(old, new, 1)
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write
