"""The viewer in a real browser: Debian's Chromium without a window."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite.data import open_task_data
from evalsuite.viewer import browsing
from evalsuite.viewer.browsing import Browser
from evalsuite.viewer.records import PAGE
from evalsuite.viewer.server import ViewerServer

QUESTIONS = 60
EXAMPLES = "/examples?task=own&split=test"
LOADED = (
    "return [...document.querySelectorAll('[data-address]')].every("
    "place => place.dataset.loaded !== undefined || place.getBoundingClientRect().top > innerHeight)"
)


@dataclass
class Page:
    """A page of the viewer in a window."""

    driver: Any
    server: ViewerServer
    asked: list[str] = field(default_factory=list)

    def open(self, path: str = "/", *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(self.server.url.rstrip("/") + path)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda _: self.run(script))

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.driver.find_elements("css selector", selector) if element.text]

    def press(self, keys: str) -> None:
        """Type into whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(keys)

    def choose(self, name: str, shown: str) -> None:
        from selenium.webdriver.support.ui import Select

        Select(self.find(f"select[name={name}]")).select_by_visible_text(shown)

    def follow(self, act: Callable[[], Any]) -> None:
        """Do what leads to another page, and wait until that is there."""
        self.run("window.left = true")
        act()
        self.wait("return window.left === undefined && document.readyState === 'complete'")

    def show(self) -> None:
        self.follow(self.find(".query button").click)

    def focused(self) -> str:
        return str(self.run("return document.activeElement.querySelector('code')?.textContent ?? ''"))

    def requests(self) -> list[str]:
        """Addresses asked for since the window was opened."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
        return self.asked


@pytest.fixture
def look(chromium: Any, serve: Callable[..., ViewerServer]) -> Iterator[Callable[[Browser], Page]]:
    """``look(browser)``: a window on these runs.

    Whatever a test does: the console stays empty, and nothing is asked for but by and from the server.
    """
    pages: list[Page] = []
    for kind in ("browser", "performance"):
        chromium.get_log(kind)

    def open_window(browser: Browser) -> Page:
        pages.append(Page(chromium, serve(browser)))
        return pages[-1]

    yield open_window
    for page in pages:
        assert chromium.get_log("browser") == []
        assert [url for url in page.requests() if not url.startswith((page.server.url, "data:"))] == []
    chromium.get("about:blank")


@pytest.fixture
def page(look: Callable[[Browser], Page], browser: Browser) -> Page:
    return look(browser)


class TestTables:
    def column(self, page: Page, name: str) -> list[str]:
        place = page.texts("#results th").index(name) + 1
        return page.texts(f"#results tbody tr:not([hidden]) td:nth-child({place})")

    def head(self, page: Page, name: str) -> Any:
        return next(head for head in page.driver.find_elements("css selector", "#results th") if head.text == name)

    def test_a_click_on_a_heading_sorts_and_another_turns_the_order(self, page: Page) -> None:
        page.open()
        assert self.column(page, "Value") == ["91.67", "88.33"]
        head = self.head(page, "Value")
        head.click()
        assert self.column(page, "Value") == ["88.33", "91.67"] and head.get_attribute("aria-sort") == "ascending"
        head.click()
        assert self.column(page, "Value") == ["91.67", "88.33"] and head.get_attribute("aria-sort") == "descending"

    def test_headings_sort_by_keyboard(self, page: Page) -> None:
        page.open()
        page.run("arguments[0].focus()", self.head(page, "Run"))
        page.press("\ue007")  # Enter
        page.press(" ")
        assert self.column(page, "Run") == ["second", "first"]

    def test_the_field_above_filters_as_one_types(self, page: Page) -> None:
        page.open()
        page.press("/")
        page.press("SEC")
        assert self.column(page, "Run") == ["second"]
        page.press("\ue003" * 3)  # backspace
        assert self.column(page, "Run") == ["first", "second"]

    def test_links_lead_to_the_examples(self, page: Page) -> None:
        page.open()
        page.follow(page.find(".splits a").click)
        assert page.find("h1").text == "Own task, test" and len(page.texts(".card code")) == PAGE


class TestKeys:
    def test_n_and_p_go_through_the_pages(self, page: Page) -> None:
        page.open(EXAMPLES)
        for key, number in (("n", 2), ("n", 3), ("p", 2)):
            page.follow(lambda key=key: page.press(key))
            assert f"page {number} of 3" in page.find("#found").text

    def test_j_and_k_go_through_the_cards(self, page: Page) -> None:
        page.open(EXAMPLES)
        page.press("k")
        assert page.focused() == "q0"
        for key, id in (("j", "q1"), ("j", "q2"), ("k", "q1")):
            page.press(key)
            assert page.focused() == id

    def test_a_slash_goes_to_the_search_and_enter_searches(self, page: Page) -> None:
        page.open(EXAMPLES)
        page.press("/")
        assert page.run("return document.activeElement.id") == "search"
        page.follow(lambda: page.press("question 42\ue007"))
        assert page.texts(".card code") == ["q42"] and page.find("#search").get_attribute("value") == "question 42"

    def test_letters_in_the_search_are_letters(self, page: Page) -> None:
        page.open(EXAMPLES)
        page.press("/")
        page.press("njk/")
        assert page.find("#search").get_attribute("value") == "njk/" and "page 1 of 3" in page.find("#found").text


class TestFilters:
    def test_a_group_and_scores_narrow_the_page(self, page: Page) -> None:
        page.open(EXAMPLES)
        page.choose("stratum", "kind=odd")
        page.find("[name=high]").send_keys("50")
        page.show()
        assert page.texts(".card code") == ["q1", "q3"]
        assert "2 of 60 examples" in page.find("#found").text

    def test_what_flipped_between_two_runs_can_be_shown_alone(self, page: Page) -> None:
        page.open(EXAMPLES)
        page.choose("show", "changed")
        page.show()
        assert page.texts(".card code") == ["q0", "q1", "q2", "q5", "q6", "q7", "q8", "q9"]
        scores = page.texts(".card:first-child .score")
        assert scores == ["0.0", "100.0"]

    def test_the_runs_can_change_places(self, page: Page) -> None:
        page.open(EXAMPLES + "&show=better")
        assert page.texts(".card code") == ["q0", "q1", "q2"]
        page.follow(lambda: page.choose("run", "second"))
        assert page.texts(".card:first-child h4")[1] == "second 0.0"
        assert page.texts(".card code") == ["q5", "q6", "q7", "q8", "q9"]

    def test_one_run_can_stand_alone(self, page: Page) -> None:
        page.open(EXAMPLES)
        page.choose("beside", "no other")
        page.show()
        assert page.texts(".card:first-child h4") == ["Prompt", "Answer 0.0", "Reference"]
        assert page.texts("[name=show] option") == ["all", "failed"]

    def test_the_lowest_scores_come_first_when_asked_for(self, page: Page) -> None:
        page.open(EXAMPLES)
        page.choose("sort", "lowest")
        page.show()
        assert page.texts(".card code")[:6] == ["q0", "q1", "q2", "q3", "q4", "q5"]


class TestLargeRuns:
    """The page of a large split comes before its scores."""

    @pytest.fixture
    def held(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
        """Scoring waits for this."""
        event = threading.Event()
        score = browsing.split_index

        def wait_and_score(*arguments: Any) -> Any:
            assert event.wait(30)
            return score(*arguments)

        monkeypatch.setattr(browsing, "QUICK", QUESTIONS)
        monkeypatch.setattr(browsing, "split_index", wait_and_score)
        yield event
        event.set()

    def test_pages_come_at_once_and_scores_when_they_are_there(self, page: Page, held: threading.Event) -> None:
        page.open(EXAMPLES)
        page.follow(lambda: page.press("n"))
        assert "60 of 60 examples, page 2 of 3" in page.find("#found").text
        assert page.texts(".card code")[0] == f"q{PAGE}" and page.texts(".score") == []
        assert "are being computed" in page.find("#waiting").text
        page.follow(held.set)
        assert len(page.texts(".score")) == 2 * PAGE and page.texts("#waiting") == []
        assert page.texts(".card code")[0] == f"q{PAGE}"

    def test_a_page_that_is_being_read_stays(self, page: Page, held: threading.Event) -> None:
        page.open(EXAMPLES)
        page.press("j")
        held.set()
        page.wait("return document.querySelector('#waiting a') !== null")
        assert page.focused() == "q0" and page.texts(".score") == []
        page.follow(page.find("#waiting a").click)
        assert len(page.texts(".score")) == 2 * PAGE


class TestHostileText:
    def test_a_model_s_markup_is_text_and_runs_nothing(self, page: Page, hostile: str) -> None:
        """What it would do shows in the console, in requests elsewhere, or in an alert that blocks the driver."""
        page.open(EXAMPLES)
        page.wait(LOADED)
        assert hostile.split("\u202e")[0] in page.find(".card .text:not(.prompt)").text
        assert page.run("return document.querySelectorAll('main script, main style, main img, main svg').length") == 0
        assert page.run("return getComputedStyle(document.body).display") == "block"

    def test_hostile_search_text_stays_in_its_field(self, page: Page) -> None:
        page.open(EXAMPLES + "&text=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&stratum=%3Cb%3E")
        assert page.find("#search").get_attribute("value") == '"><script>alert(1)</script>'
        assert page.run("return document.querySelectorAll('main script').length") == 0

    def test_the_policy_blocks_what_is_not_ours(
        self, chromium: Any, serve: Callable[..., ViewerServer], browser: Browser
    ) -> None:
        """Markup that got onto the page by a mistake of ours could not run a script, nor tell anyone."""
        page = Page(chromium, serve(browser))
        page.open(EXAMPLES)
        page.run(
            "const script = document.createElement('script'); script.textContent = 'window.ran = true';"
            "const image = document.createElement('img'); image.src = 'http://example.com/a.png';"
            "const link = document.createElement('div'); link.innerHTML = '<b onclick=\"window.ran = true\">x</b>';"
            "document.body.append(script, image, link); link.firstChild.click();"
        )
        assert page.run("return window.ran === undefined")
        refused: list[str] = []
        for _ in range(100):  # the console is written a little later
            refused += [entry["message"] for entry in chromium.get_log("browser")]
            if len(refused) == 3:
                break
            time.sleep(0.05)
        assert len(refused) == 3 and all("Content Security Policy" in message for message in refused)


class TestLooks:
    @pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
    def test_pages_follow_the_colours_of_the_system(self, page: Page, scheme: str, light: bool) -> None:
        for path in ("/", EXAMPLES):
            page.open(path, scheme=scheme)
            paper, ink = (
                sum(map(int, page.run(f"return getComputedStyle(document.body).{name}.match(/\\d+/g)")))
                for name in ("backgroundColor", "color")
            )
            assert (paper > ink) == light and abs(paper - ink) > 400

    @pytest.mark.parametrize("path", ["/", EXAMPLES, EXAMPLES + "&text=nothing"])
    def test_a_phone_needs_no_scrolling_sideways(self, page: Page, path: str) -> None:
        page.open(path, width=390, height=844)
        page.wait(LOADED)
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")

    def test_every_field_has_a_name(self, page: Page) -> None:
        for path in ("/", EXAMPLES):
            page.open(path)
            script = "return [...document.querySelectorAll('main input, main select')].filter("
            assert page.run(script + "e => !e.labels.length && !e.ariaLabel && e.type !== 'hidden').length") == 0


DRAWN = ("refcoco", "nlvr2", "molscribe_chemdraw", "grandstaff", "pubtabnet")


@pytest.fixture(scope="module")
def drawn_run(replay: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers to boxes and masks, two images, molecules, music and tables: a table, or a SMILES for molecules."""
    table = "<table><tr><td>1<script>alert(1)</script></td></tr></table>"
    answers = {example.key.id: table for task in DRAWN for example in first_examples(task)}
    answers |= {"synthetic-00000": "CCO", "synthetic-00001": "<script>alert(1)</script>"}
    answers["0-0"] = "<loc0000><loc0000><loc0512><loc1023>" + "<seg000>" * 16
    return replay(",".join(DRAWN), answers, tmp_path_factory.mktemp("drawn") / "run", limit=8)


def first_examples(task: str) -> Iterator[Any]:
    data = open_task_data(evalsuite.load_task(task), "synthetic")
    for split in data.spec.reported():
        yield from data.examples(split.name, stop=8)


class TestPictures:
    @pytest.fixture
    def page(self, look: Callable[[Browser], Page], drawn_run: Path) -> Page:
        return look(Browser.open([drawn_run]))

    def test_they_come_when_their_card_comes_into_sight(self, page: Page) -> None:
        page.open("/examples?task=refcoco&split=val", width=500)
        page.wait(LOADED)
        loaded = "return document.querySelectorAll('.media[data-loaded]').length"
        assert 0 < page.run(loaded) < 8
        page.run("document.querySelector('.card:last-child').scrollIntoView()")
        page.wait("return document.querySelector('.card:last-child .media img')?.naturalWidth > 0")

    def test_boxes_and_masks_lie_over_their_picture(self, page: Page) -> None:
        page.open("/examples?task=refcoco&split=val")
        page.wait(LOADED)
        assert page.run(
            "const picture = document.querySelector('.picture'), [image, shape] = "
            "[picture.querySelector('img'), picture.querySelector('svg')].map(e => e.getBoundingClientRect());"
            "return ['x', 'y', 'width', 'height'].every(side => Math.abs(image[side] - shape[side]) < 1)"
            " && image.width > 100 && picture.querySelectorAll('polygon').length >= 2"
        )

    def test_boxes_of_answers_are_dashed(self, page: Page) -> None:
        page.open("/examples?task=refcoco&split=val")
        page.wait(LOADED)
        assert page.run("return document.querySelectorAll('.card:first-child .picture .dashed').length") == 1
        assert page.texts(".card:first-child .legend") == ["answer"]
        assert page.run("return document.querySelectorAll('.card:nth-child(2) .dashed').length") == 0

    def test_enter_enlarges_the_pictures_of_a_card(self, page: Page) -> None:
        page.open("/examples?task=nlvr2&split=test")
        page.wait(LOADED)
        width = "return document.querySelector('.picture').getBoundingClientRect().width"
        small = page.run(width)
        page.press("j")
        page.press("\ue007")
        assert page.run(width) > small * 1.5
        page.press("\ue007")
        assert page.run(width) == small

    def test_molecules_are_drawn_and_what_is_none_is_said(self, page: Page) -> None:
        page.open("/examples?task=molscribe_chemdraw&split=test")
        page.wait(LOADED)
        page.wait("return document.querySelectorAll('.card:first-child .drawn').length === 2")
        assert page.run("return document.querySelector('.drawn').naturalWidth") > 100
        second = page.find(".card:nth-child(2)")
        assert "this is no valid SMILES" in second.text and "<script>alert(1)</script>" in second.text

    def test_music_is_drawn(self, page: Page) -> None:
        pytest.importorskip("verovio")
        page.open("/examples?task=grandstaff&split=test")
        page.wait("return document.querySelector('.card section:last-child .drawn')?.naturalWidth > 100")

    def test_tables_stand_side_by_side_where_there_is_room(self, page: Page) -> None:
        sides = (
            "return [...document.querySelector('.sides').querySelectorAll('section:has(table)')]"
            ".map(e => e.getBoundingClientRect().x)"
        )
        page.open("/examples?task=pubtabnet&split=validation")
        left, right = page.run(sides)
        assert right > left + 400
        page.open("/examples?task=pubtabnet&split=validation", width=390)
        left, right = page.run(sides)
        assert left == right and page.run("return document.documentElement.scrollWidth <= innerWidth")
        assert page.run("return document.querySelector('.sides td').textContent") == "1"
