"""A run of a task whose every text is hostile, shared by the tests of what such a run leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import evalsuite

STEERING = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066"
"""A terminal title, a cleared screen, a colour by a C1 control, and marks that turn text around."""

HOSTILE = (
    f'=HYPERLINK("http://evil.example")<script>alert(1)</script>![x](http://evil.example/t.png)|\\input{{x}}{STEERING}'
)


@pytest.fixture
def hostile_run(own_task: Callable[..., Path], tmp_path: Path) -> Path:
    """Ids, questions, answers, groups, titles and error messages hold HOSTILE; one example has no prediction."""
    rows = [
        {"id": f"{n}{HOSTILE}", "question": HOSTILE, "answer": [f"{HOSTILE}{n}"], "kind": f"{HOSTILE}{n % 2}"}
        for n in range(4)
    ]
    fields = {"id": "id", "references": "answer", "values": {"question": "question"}, "strata": {"kind": "kind"}}
    specs = own_task(rows, fields=fields, title=f"Own {HOSTILE}")
    answers = [{"id": row["id"], "text": row["answer"][0] if n else HOSTILE} for n, row in enumerate(rows[:3])]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in answers))
    result = evalsuite.run(
        "own",
        backend="replay",
        options={"predictions": str(tmp_path / "answers.jsonl")},
        data="files",
        data_dir=tmp_path / "data",
        specs=[specs],
        max_errors=4,
        attributes={"size": HOSTILE},
        out=tmp_path / "run",
    )
    return result.folder


@pytest.fixture
def memory() -> Callable[..., object]:
    """``with memory(megabytes):`` fails when Python objects take more at once inside the block."""
    import tracemalloc

    @contextmanager
    def limited(megabytes: int) -> Iterator[None]:
        tracemalloc.start()
        try:
            yield
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < megabytes << 20, f"{peak >> 20} MB"

    return limited
