"""The gemma.cpp backend, with a program that behaves like its command line."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.backends import check_backend, create_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.gemma_cpp import read_answer
from evalsuite.errors import BackendError, EvalsuiteError, ExampleError, UsageError
from evalsuite.types import Request

PROGRAM = Path(__file__).parent.parent / "fixtures" / "fake_gemma.py"
Make = Callable[..., Request]


@pytest.fixture
def options(tmp_path: Path) -> Callable[..., BackendOptions]:
    """Options for the fake program and a file of weights for 224 px."""
    binary = tmp_path / "gemma"
    binary.write_bytes(PROGRAM.read_bytes())
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "paligemma2-3b-mix-224.sbs").write_bytes(b"weights")

    def make(model: str = "paligemma2-3b-mix-224.sbs", attributes: Any = None, **values: str) -> BackendOptions:
        return BackendOptions(str(tmp_path / model), attributes or {}, {"binary": str(binary), **values})

    return make


def answer(options: BackendOptions, *requests: Request) -> list[Any]:
    backend = create_backend("gemma_cpp", options)
    try:
        return backend.generate([backend.prepare(request) for request in requests])
    finally:
        backend.close()


def test_prompt_image_budget_and_threads_reach_the_program(options: Callable[..., Any], make_request: Make) -> None:
    """The prompt as it is: neither quotes nor dashes nor other alphabets are read by a shell or as options."""
    prompt = "--weights 'x' $(rm) \"क\" \n answer"
    (found,) = answer(options(threads="3"), make_request(prompt, (1,), max_new_tokens=7))
    text, side, _, budget, threads = found.text.rsplit("|", 4)
    assert (text, side, budget, threads) == (prompt, "224", "7", "3") and found.error is None


def test_answers_keep_their_order_when_several_processes_run(options: Callable[..., Any], make_request: Make) -> None:
    requests = [make_request(f"q{n}", (n,)) for n in range(6)]
    found = answer(options(processes="3"), *requests)
    assert [item.key for item in found] == [request.key for request in requests]
    assert [item.text.split("|")[0] for item in found] == [f"q{n}" for n in range(6)]


def test_a_program_that_hangs_is_ended_with_its_children(options: Callable[..., Any], make_request: Make) -> None:
    started = time.monotonic()
    (found,) = answer(options(timeout="1"), make_request("hang", (1,)))
    assert "no answer within 1 s" in found.error and time.monotonic() - started < 20


def test_a_crash_is_the_examples_error_with_the_programs_last_line(
    options: Callable[..., Any], make_request: Make
) -> None:
    crashed, fine = answer(options(), make_request("crash", (1,)), make_request("fine", (1,)))
    assert crashed.error == "gemma.cpp ended with status 134: Abort at gemma.cc:12: KV cache too small"
    assert fine.error is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"visuals": (1, 2)}, "exactly one image"),
        ({"visuals": ()}, "exactly one image"),
        ({"beam_size": 2}, "no beam search"),
    ],
)
def test_what_the_program_cannot_do_is_said(
    options: Callable[..., Any], make_request: Make, settings: dict[str, Any], message: str
) -> None:
    backend = create_backend("gemma_cpp", options())
    with pytest.raises(ExampleError, match=message):
        backend.prepare(make_request("q", **settings))


def test_greedy_instead_of_beams_is_asked_for_and_written_down(options: Callable[..., Any], make_request: Make) -> None:
    chosen = options(beams="greedy")
    assert create_backend("gemma_cpp", chosen).describe()["beams"] == "greedy"
    assert answer(chosen, make_request("q", (1,), beam_size=2))[0].error is None


@pytest.mark.parametrize(
    ("model", "attributes", "values", "error", "message"),
    [
        ("nowhere-224.sbs", {}, {}, BackendError, "there is no such file"),
        ("paligemma2-3b-mix-224.sbs", {"size": "28B"}, {}, UsageError, "3B or 10B only"),
        ("paligemma2-3b-mix-224.sbs", {"resolution": 896}, {}, UsageError, "224 or 448 px only"),
        ("paligemma2-3b-mix-224.sbs", {}, {"binary": "no-such-gemma"}, BackendError, "there is no program"),
        ("paligemma2-3b-mix-224.sbs", {}, {"tokenizer": "nowhere"}, BackendError, "tokenizer=nowhere"),
        ("paligemma2-3b-mix-224.sbs", {}, {"thread": "2"}, UsageError, "Did you mean 'threads'"),
    ],
)
def test_mistakes_are_found_before_anything_runs(
    options: Callable[..., Any], model: str, attributes: Any, values: Any, error: type[EvalsuiteError], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_backend("gemma_cpp", options(model, attributes, **values))


def test_weights_without_a_resolution_in_their_name_need_the_attribute(
    options: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "mine.sbs").write_bytes(b"weights")
    with pytest.raises(UsageError, match="Give --set resolution=224 or 448"):
        check_backend("gemma_cpp", options("mine.sbs"))
    backend = create_backend("gemma_cpp", options("mine.sbs", {"resolution": "448", "size": "10B"}))
    assert backend.describe()["resolution"] == 448
    assert backend.describe()["versions"] == {"gemma.cpp": "0.1.4"}


def test_only_what_encloses_an_answer_is_taken_off() -> None:
    """The mark says that the model ended; without it, the limit may have."""
    assert read_answer(b"\n two  dogs <eos>\n") == (" two  dogs ", "end")
    assert read_answer(b"\r\nzwei Hunde\r\n") == ("zwei Hunde", None)
    assert read_answer(b"broken \xff") == ("broken \ufffd", None)
