"""The viewer: pages of examples from real runs, asked for over HTTP as a browser does."""

from __future__ import annotations

import html
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite.runs.store import PredictionStore
from evalsuite.types import ExampleKey, Prediction
from evalsuite.viewer.browsing import Browser
from evalsuite.viewer.pages import read_query
from evalsuite.viewer.records import PAGE, Query

QUESTIONS = 60


def ids(browser: Browser, **query: Any) -> list[str]:
    return [card.id for card in browser.page(Query("own", "test", **query)).cards]


class TestBrowsing:
    def test_pages_hold_so_many_examples_and_say_how_many_there_are(self, browser: Browser) -> None:
        first = browser.page(Query("own", "test"))
        assert (len(first.cards), first.found, first.total, first.pages) == (PAGE, QUESTIONS, QUESTIONS, 3)
        last = browser.page(Query("own", "test", page=99))
        assert last.page == 2 and [card.id for card in last.cards] == [f"q{n}" for n in range(2 * PAGE, QUESTIONS)]

    def test_answers_of_all_runs_stand_side_by_side_with_their_scores(self, browser: Browser) -> None:
        card = browser.page(Query("own", "test")).cards[1]
        assert [(answer.run, answer.value) for answer in card.answers] == [("first", 0.0), ("second", 100.0)]

    def test_what_changed_between_two_runs_can_be_shown_alone(self, browser: Browser) -> None:
        assert ids(browser, show="better") == ["q0", "q1", "q2"]
        assert ids(browser, show="worse") == ["q5", "q6", "q7", "q8", "q9"]
        assert len(ids(browser, show="changed")) == 8

    def test_groups_scores_and_text_narrow_the_page(self, browser: Browser) -> None:
        assert ids(browser, stratum="kind=odd", high=50.0) == ["q1", "q3"]
        assert ids(browser, text="QUESTION 42") == ["q42"]
        assert len(ids(browser, text="of 50%")) == PAGE and ids(browser, text="5_ of") == []
        assert browser.strata(Query("own", "test")) == ["kind=even", "kind=odd"]

    def test_the_lowest_or_highest_come_first(self, browser: Browser) -> None:
        assert ids(browser, sort="lowest")[:6] == ["q0", "q1", "q2", "q3", "q4", "q5"]
        assert ids(browser, sort="highest")[0] == "q5"

    def test_pictures_come_from_the_data_of_the_run(self, tmp_path: Path) -> None:
        run = evalsuite.run("refcoco", backend="echo", limit=2, out=tmp_path / "refcoco").folder
        pictures, problem = Browser.open([run]).pictures(Query("refcoco", "val"), 1)
        assert problem == "" and len(pictures) == 1
        assert pictures[0].uri.startswith("data:image/jpeg;base64,") and pictures[0].shapes

    def test_data_that_went_away_are_said_and_the_rest_still_works(self, browser: Browser, runs: list[Path]) -> None:
        data, moved = runs[0].parent / "data", runs[0].parent / "moved"
        data.rename(moved)
        try:
            pictures, problem = browser.pictures(Query("own", "test"), 0)
        finally:
            moved.rename(data)
        assert not pictures and "cannot be opened" in problem
        assert len(ids(browser)) == PAGE


class TestServer:
    @pytest.fixture
    def ask(self, browser: Browser, serve: Callable[..., Any]) -> Callable[..., tuple[int, str, Any]]:
        """``ask("/path")``: status, body and headers."""
        server = serve(browser)

        def call(path: str, **headers: str) -> tuple[int, str, Any]:
            request = urllib.request.Request(server.url.rstrip("/") + path, headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, answer.read().decode(), answer.headers
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode(), error.headers

        return call

    def test_the_first_page_has_the_tables_and_a_link_for_each_split(self, ask: Any) -> None:
        status, body, _ = ask("/")
        assert status == 200 and "91.67" in body and 'href="/examples?task=own&amp;split=test"' in body

    def test_examples_are_pages_of_the_server(self, ask: Any) -> None:
        status, body, _ = ask("/examples?task=own&split=test&sort=lowest")
        assert status == 200 and "60 of 60 examples, page 1 of 3" in body
        following = html.unescape(re.search(r'href="([^"]+)" rel="next"', body)[1])  # type: ignore[index]
        assert "page 2 of 3" in ask(following)[1]

    def test_what_a_model_wrote_stays_text(self, ask: Any) -> None:
        body = ask("/examples?task=own&split=test")[1]
        assert "<script>alert" not in body and "<img src=x" not in body and "&lt;script&gt;alert(1)" in body
        assert "\u202e" not in body

    def test_a_policy_forbids_everything_that_is_not_ours(self, ask: Any) -> None:
        headers = ask("/")[2]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"

    def test_pages_load_nothing_from_elsewhere(self, ask: Any) -> None:
        for path in (
            "/",
            "/examples?task=own&split=test&show=failed",
            "/view.js",
            "/view.css",
            "/style.css",
            "/base.css",
        ):
            assert not re.search(r"https?://(?!127\.0\.0\.1|www\.w3\.org)", ask(path)[1]), path

    def test_another_host_is_refused(self, ask: Any) -> None:
        """A page of another site cannot read runs by pointing a name of its own at this machine."""
        assert ask("/", Host="evil.example")[0] == 403
        assert ask("/", Host="localhost:1234")[0] == 200

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("/examples?task=owm&split=test", "Did you mean &#39;own&#39;"),
            ("/examples?task=own&split=dev", "unknown split of own"),
            ("/../../etc/passwd", "no such page"),
            ("/nothing", "no such page"),
        ],
    )
    def test_wrong_addresses_are_answered_with_a_sentence(self, ask: Any, path: str, said: str) -> None:
        status, body, _ = ask(path)
        assert status == 404 and said in body

    def test_fields_that_make_no_sense_are_as_if_not_given(self) -> None:
        given = {"task": "t", "split": "s", "page": "-3", "low": "x", "show": "everything", "sort": "up"}
        assert read_query(given) == Query("t", "s")


def test_answers_that_are_no_whole_ones_are_told_on_the_first_page_and_on_their_card(
    own_task: Callable[..., Path], serve: Callable[..., Any], tmp_path: Path
) -> None:
    specs = own_task([{"id": str(n), "question": "?", "answer": "yes"} for n in range(4)])
    asked: dict[str, Any] = {"data": "files", "data_dir": tmp_path / "data", "specs": [specs], "out": tmp_path / "out"}
    folder = evalsuite.run("own", backend="echo", **asked).folder
    (folder / "predictions.sqlite").unlink()
    with PredictionStore(folder / "predictions.sqlite") as store:
        for n, ended in enumerate(("length", "filter", "end", "end")):
            key = ExampleKey("own", "test", str(n))
            store.add([Prediction(key, n, "?", "yes" if n != 1 else "", ["yes"], details={"ended": ended})])
    evalsuite.score(folder, specs=[specs])
    browser = Browser.open([folder])
    answers = [card.answers[0].ended for card in browser.page(Query("own", "test")).cards]
    assert answers == ["cut at the token limit", "withheld by a filter", "", ""]
    address = serve(browser).url.rstrip("/")
    with urllib.request.urlopen(f"{address}/", timeout=60) as page:
        shown = page.read().decode()
    assert "Warning: own, test: 25.0% of the answers (1 of 4) were cut at the token limit." in html.unescape(shown)
    assert '<td class="number warn">25.0%</td>' in shown
    with urllib.request.urlopen(f"{address}/examples?task=own&split=test", timeout=60) as page:
        assert "withheld by a filter" in page.read().decode()
