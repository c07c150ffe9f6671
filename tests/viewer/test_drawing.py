"""Molecules and music drawn from what a model wrote, whatever that is."""

from __future__ import annotations

import base64
import importlib.util
import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from evalsuite.viewer import drawing, pages
from evalsuite.viewer.drawing import Drawer, Drawing
from evalsuite.viewer.kern_lines import readable_kern
from evalsuite.viewer.renderers import LONGEST, MOLECULE, MUSIC

KERN = "**kern\t**kern\n*clefF4\t*clefG2\n*M4/4\t*M4/4\n=1\t=1\n2AA\t2ee\n2G\t2a\n==\t==\n*-\t*-"


@pytest.fixture(scope="module")
def drawer() -> Iterator[Drawer]:
    drawer = Drawer()
    yield drawer
    drawer.close()


def svg(found: Drawing) -> str:
    """The SVG inside the address."""
    kind, data = found.uri.split(",", 1)
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(data).decode()


class TestMolecules:
    def test_a_smiles_is_drawn(self, drawer: Drawer) -> None:
        found = drawer.draw(MOLECULE, "CCO")
        assert found.note == "" and ElementTree.fromstring(svg(found)).tag.endswith("svg")

    def test_abbreviations_are_drawn_as_the_metric_reads_them(self, drawer: Drawer) -> None:
        found = drawer.draw(MOLECULE, "[Ph]CO")
        assert found.uri and found.note == "Drawn as the metric reads it: *CO"

    @pytest.mark.parametrize("text", ["<script>alert(1)</script>", "C(", "c1ccc", "\ud800", "((((", "C1" * 400])
    def test_what_is_no_molecule_is_said(self, drawer: Drawer, text: str) -> None:
        assert drawer.draw(MOLECULE, text) == Drawing("", "No drawing: this is no valid SMILES.")

    def test_markup_never_gets_into_the_drawing(self, drawer: Drawer) -> None:
        for text in ('[<script>alert(1)</script>]C"><b>', "C |$<b>x</b>;;$|", "CC <img src=x>"):
            found = drawer.draw(MOLECULE, text)
            assert not found.uri or not any(mark in svg(found) for mark in ("<script", "<b>", "<img"))

    def test_long_texts_are_not_drawn(self, drawer: Drawer) -> None:
        begin = time.monotonic()
        assert drawer.draw(MOLECULE, "C" * 100_000).note == "No drawing: 100,000 characters are more than 1,000."
        assert time.monotonic() - begin < 1


class TestMusic:
    @pytest.fixture(autouse=True)
    def _needs_verovio(self) -> None:
        pytest.importorskip("verovio")

    def test_a_system_is_drawn(self, drawer: Drawer) -> None:
        found = drawer.draw(MUSIC, KERN)
        assert found.note == "" and svg(found).count('class="note"') == 4

    def test_a_text_that_breaks_off_is_drawn_up_to_there(self, drawer: Drawer) -> None:
        found = drawer.draw(MUSIC, KERN[: KERN.index("2G") + 2])
        assert found.note == "Line 6 has 1 field instead of 2: drawn up to there."
        assert svg(found).count('class="note"') == 2

    @pytest.mark.parametrize("text", ["", "no music at all", "<script>alert(1)</script>", "\x00", "**kern"])
    def test_what_is_no_music_is_said(self, drawer: Drawer, text: str) -> None:
        assert drawer.draw(MUSIC, text) == Drawing("", "No drawing: this is no **kern.")

    def test_markup_never_gets_into_the_drawing(self, drawer: Drawer) -> None:
        for text in (KERN.replace("2ee", "2ee<script>x</script>"), KERN.replace("2ee", "!<img onerror=x>")):
            found = drawer.draw(MUSIC, text)
            assert not found.uri or not any(mark in svg(found) for mark in ("<script", "<img"))


class TestProcess:
    """The native programs run apart: the page lives on whatever a text does to them."""

    @pytest.fixture
    def impatient(self) -> Iterator[Drawer]:
        drawer = Drawer(seconds=1.0)
        drawer.draw(MOLECULE, "C")
        yield drawer
        drawer.close()

    def test_what_takes_too_long_is_given_up(self, impatient: Drawer) -> None:
        pytest.importorskip("verovio")
        begin = time.monotonic()
        found = impatient.draw(MUSIC, "**kern\n" + "4c\n" * (LONGEST[MUSIC] // 4))
        assert found == Drawing("", "No drawing: it took longer than 1 seconds.")
        assert time.monotonic() - begin < 5

    def test_a_program_that_ended_is_started_again(self, impatient: Drawer) -> None:
        process: Any = impatient._process
        process.kill()
        process.join()
        assert impatient.draw(MOLECULE, "C").note == "No drawing: the program that draws ended at this text."
        impatient._seconds = 60.0
        assert impatient.draw(MOLECULE, "CCO").uri

    def test_without_verovio_music_stays_text_and_the_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(drawing.importlib.util, "find_spec", lambda name: None)
        assert importlib.util.find_spec("verovio") is None
        assert Drawer().draw(MUSIC, KERN) == Drawing("", "To see it as music: pip install verovio")


class TestKernLines:
    def test_a_whole_text_stays_as_it_is(self) -> None:
        assert readable_kern(KERN) == (KERN, "")

    def test_header_and_ends_are_added_where_they_lack(self) -> None:
        body = KERN.split("\n", 1)[1].removesuffix("\n*-\t*-")
        assert readable_kern(body) == (KERN, "")

    def test_spines_may_split_join_and_end(self) -> None:
        text = "**kern\t**kern\n*^\t*\n4c\t4e\t4g\n*v\t*v\t*\n4c\t4g\n*-\t*\n4g\n*-"
        assert readable_kern(text) == (text, "")

    def test_marks_of_bekern_are_left_out(self) -> None:
        assert readable_kern("**ekern_1.0\t**kern\n4@·c\t4e\n*-\t*-") == ("**kern\t**kern\n4c\t4e\n*-\t*-", "")

    def test_empty_fields_end_the_text(self) -> None:
        assert readable_kern("**kern\t**kern\n4c\t4e\n4d\t\n") == (
            "**kern\t**kern\n4c\t4e\n*-\t*-",
            "Line 3 has an empty field: drawn up to there.",
        )

    def test_comments_that_steer_a_renderer_are_left_out(self) -> None:
        assert readable_kern("**kern\n!!!header: x\n4c\n*-")[0] == "**kern\n4c\n*-"


def test_notes_are_escaped() -> None:
    assert "&lt;b&gt;" in pages.drawing_part(Drawing("", "<b>"))
