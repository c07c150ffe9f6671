"""A short, repeatable fuzz of every reader; ``benchmarks/fuzz_campaign.py`` runs the same targets for long."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalsuite.errors import EvalsuiteError


def _targets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_targets", Path(__file__).with_name("fuzz_targets.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


targets = _targets()
SLOWEST = 10.0  # seconds; on a machine of its own an input takes milliseconds


@pytest.mark.parametrize("name", targets.TARGETS)
@settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
@given(data=st.data())
def test_no_text_crashes_or_hangs_a_reader(name: str, data: st.DataObject) -> None:
    text = data.draw(texts(name))
    start = time.monotonic()
    with contextlib.suppress(EvalsuiteError):
        targets.TARGETS[name](text)
    assert time.monotonic() - start < SLOWEST


def texts(name: str) -> st.SearchStrategy[str]:
    """Pieces of the languages that are read, repeated and put into a valid text of this target."""
    piece = st.sampled_from(targets.FRAGMENTS) | st.text(max_size=8)
    repeated = st.builds(lambda text, times: text * times, piece, st.sampled_from([1, 1, 1, 1, 2, 30, 2000]))
    noise = st.lists(repeated, max_size=12).map("".join)
    seeds = targets.SEEDS.get(name, [""])
    inserted = st.builds(
        lambda seed, text, share, cut: (
            seed[: int(share * len(seed))] + text + seed[int(min(1.0, share + cut) * len(seed)) :]
        ),
        st.sampled_from(seeds),
        noise,
        st.floats(0, 1),
        st.floats(0, 0.5),
    )
    return noise | inserted
