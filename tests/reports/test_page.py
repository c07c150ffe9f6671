"""The report page: one file, complete, safe with hostile text, and written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import StoreError, UsageError
from evalsuite.reports import ResultRow, write_report
from evalsuite.reports.bars import interval_bar

MakeRow = Callable[..., ResultRow]
MakeRun = Callable[..., Path]
HOSTILE = "\"'><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>{{ 7 * 7 }}"


def parse(path: Path) -> Any:
    from lxml import html

    return html.fromstring(path.read_text(encoding="utf-8"))


def text_of(path: Path) -> str:
    return " ".join(parse(path).text_content().split())


def test_three_files_are_written_into_the_run(make_row: MakeRow, make_run: MakeRun) -> None:
    run = make_run([make_row()])
    files = write_report([run])
    assert sorted(path.name for path in (run / "report").iterdir()) == ["index.html", "table.csv", "table.md"]
    assert files.html == run / "report" / "index.html"
    assert "| COCOcap |" in files.markdown.read_text()
    assert "COCOcap" in files.csv.read_text()


def test_writing_twice_gives_the_same_bytes(make_row: MakeRow, make_run: MakeRun) -> None:
    run = make_run([make_row()])
    first = write_report([run]).html.read_bytes()
    assert write_report([run]).html.read_bytes() == first


def test_the_page_has_its_sections_in_order(make_row: MakeRow, make_run: MakeRun) -> None:
    page = parse(write_report([make_run([make_row(), make_row(metric="bleu_4", headline=False)])]).html)
    assert [section.get("id") for section in page.iter("section")] == [
        "results", "secondary", "errors", "signatures", "reproduce",
    ]  # fmt: skip
    assert page.findtext(".//h1") == "demo"
    heads = [cell.text for cell in page.get_element_by_id("results").iter("th")]
    assert heads == [
        "Task",
        "Split",
        "Metric",
        "Value",
        "Chart",
        "95% interval",
        "Published",
        "Difference",
        "Published for",
        "n",
        "Errors",
    ]


def test_the_page_shows_the_runs_facts_and_how_to_repeat_it(make_row: MakeRow, make_run: MakeRun) -> None:
    run = make_run(
        [make_row()],
        run={"attributes": {"size": "3B"}, "limit": "10%"},
        session={"command": ["evalsuite", "run", "--tasks", "a b", "--set", "api_key=hunter2"]},
    )
    text = text_of(write_report([run]).html)
    for fact in (
        "checkpoints/a",
        "size 3B",
        "bfloat16",
        "numpy",
        "2.1.0",
        "abababababab",
        "f00d",
        "2025-01-05 10:00:00 UTC",
    ):
        assert fact in text
    assert "evalsuite run --tasks 'a b' --set 'api_key=***'" in text
    assert "hunter2" not in text


def test_a_limited_unfinished_or_failed_run_says_so_on_top(make_row: MakeRow, make_run: MakeRun) -> None:
    run = make_run(
        [make_row()], run={"limit": "10%"}, session={"status": "interrupted", "failures": {"vqav2": "no images"}}
    )
    files = write_report([run])
    cautions = [item.text for item in parse(files.html).find_class("caution")[0].iter("li")]
    assert len(cautions) == 3
    assert "--limit 10%" in cautions[0] and "interrupted" in cautions[1] and "vqav2 failed: no images" in cautions[2]
    assert "--limit 10%" in files.markdown.read_text()


def test_synthetic_values_are_marked_and_not_compared(make_row: MakeRow, make_run: MakeRun) -> None:
    page = parse(write_report([make_run([make_row(data="synthetic")])]).html)
    assert "not comparable with published numbers" in page.get_element_by_id("results").text_content()
    assert not page.xpath("//section[@id='results']//*[name()='line'][@class='published']")


def test_failed_examples_are_listed_by_task_with_ids(make_row: MakeRow, make_run: MakeRun) -> None:
    errors = [("vqav2", f"q{number}", "broken image") for number in range(25)] + [("cococap", "7", "no file")]
    section = parse(write_report([make_run([make_row()], errors=errors)]).html).get_element_by_id("errors")
    assert [head.text_content() for head in section.iter("h3")] == ["cococap (1)", "vqav2 (25)"]
    text = section.text_content()
    assert "test/q0" in text and "test/q24" not in text
    assert "and 5 more" in text


def test_a_damaged_store_is_a_caution_and_the_report_is_written(make_row: MakeRow, make_run: MakeRun) -> None:
    run = make_run([make_row()])
    (run / "predictions.sqlite").write_bytes(b"not a database" * 100)
    assert "Failed examples cannot be listed" in text_of(write_report([run]).html)


def test_hostile_text_stays_text_everywhere(make_row: MakeRow, make_run: MakeRun) -> None:
    row = make_row(paper_name="", title=HOSTILE, stratum=HOSTILE, metric=HOSTILE, unit=HOSTILE, signature=HOSTILE)
    run = make_run(
        [row, make_row(title=HOSTILE, paper_name="", headline=False)],
        errors=[("vqav2", HOSTILE, HOSTILE)],
        run={"model": HOSTILE, "attributes": {HOSTILE: HOSTILE}},
        session={"command": [HOSTILE], "failures": {HOSTILE: HOSTILE}},
    )
    page = parse(write_report([run]).html)
    assert not list(page.iter("script", "img"))
    assert not [name for element in page.iter() for name in element.attrib if name.startswith("on")]
    assert page.text_content().count("<script>alert(1)</script>") > 8
    assert "{{ 7 * 7 }}" in page.text_content()


def test_the_page_asks_for_nothing_from_outside(make_row: MakeRow, make_run: MakeRun) -> None:
    path = write_report([make_run([make_row()])]).html
    page = parse(path)
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not list(page.iter("script", "link", "iframe", "object", "embed", "form"))
    assert not page.xpath("//@src | //@href | //@style")
    assert not re.search(r"https?:|url\(|@import", path.read_text(encoding="utf-8"))


def test_the_page_has_a_dark_face(make_row: MakeRow, make_run: MakeRun) -> None:
    (style,) = parse(write_report([make_run([make_row()])]).html).iter("style")
    assert "prefers-color-scheme: dark" in style.text


def test_text_that_is_no_unicode_is_replaced(make_row: MakeRow, make_run: MakeRun) -> None:
    files = write_report([make_run([make_row(paper_name="", title="lone \ud800 surrogate")])])
    assert all(
        "lone ? surrogate" in path.read_text(encoding="utf-8") for path in (files.html, files.markdown, files.csv)
    )


def test_several_runs_share_one_report(make_row: MakeRow, make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run([make_row(run=name)], name=name) for name in ("one", "two")]
    files = write_report(runs, tmp_path / "both")
    assert "2 runs: one, two" in text_of(files.html)
    lines = [line for line in files.markdown.read_text().splitlines() if "COCOcap" in line]
    assert [line.split(" | ")[0] for line in lines] == ["| one", "| two"]
    assert write_report(runs).html == runs[0] / "report" / "index.html"


def test_no_run_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="at least one run"):
        write_report([])


def test_a_folder_that_is_no_run_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        write_report([tmp_path])
    assert list(tmp_path.iterdir()) == []


class TestBars:
    @staticmethod
    def x(svg: str, kind: str, attribute: str) -> float:
        match = re.search(rf'class="{kind}"[^>]* {attribute}="([^"]+)"', svg)
        assert match is not None
        return float(match[1])

    def test_percentages_share_one_axis(self) -> None:
        zero, half, full = (self.x(interval_bar(v, None, None), "value", "cx") for v in (0.0, 50.0, 100.0))
        assert half - zero == pytest.approx(full - half)

    def test_the_band_spans_the_interval_and_the_tick_is_the_published_value(self) -> None:
        svg = interval_bar(50.0, 40.0, 60.0, 60.0)
        start, width = self.x(svg, "band", "x"), self.x(svg, "band", "width")
        assert start < self.x(svg, "value", "cx") < start + width
        assert self.x(svg, "published", "x1") == pytest.approx(start + width, abs=0.11)

    def test_values_above_100_get_a_longer_axis(self) -> None:
        assert "axis to 200" in interval_bar(141.3, 138.0, 145.0, percent=False)

    @pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
    def test_no_value_no_drawing(self, value: float | None) -> None:
        assert interval_bar(value, None, None) == ""

    def test_negative_values_stay_inside_the_drawing(self) -> None:
        assert 0 <= self.x(interval_bar(-5.0, -6.0, -4.0), "value", "cx") <= 112


def test_many_runs_are_summed_up_before_they_are_listed(make_row: MakeRow, make_run: MakeRun) -> None:
    """A caution that holds for all is said once; each run's own facts stand with how to reproduce it."""
    rows = {size: make_row(attributes={"size": size, "resolution": 224}, run=size) for size in ("1B", "2B", "3B")}
    runs = [
        make_run([row], name=f"run-{size}", run={"attributes": row.attributes, "limit": "8"})
        for size, row in rows.items()
    ]
    path = write_report([*runs, *(make_run([row], name=f"more-{size}") for size, row in rows.items())]).html
    text, page = text_of(path), parse(path)
    assert page.findtext(".//h1") == "6 runs"
    assert text.count("Only the first examples") == 1 and "run-1B, run-2B, run-3B: Only the first" in text
    assert [section.get("id") for section in page.iter("section")][:2] == ["study", "results"]
    assert "run-3B" in page.get_element_by_id("reproduce").text_content()
