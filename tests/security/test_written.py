"""What a run, a report, a page or a table shows of hostile text: nothing of it is obeyed."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import evalsuite
from evalsuite.comparison.gate import REGRESSION, Verdict
from evalsuite.comparison.outputs import as_markdown
from evalsuite.inspection.page import preview_page
from evalsuite.inspection.references import safe_table
from evalsuite.reports.latex import to_latex
from evalsuite.reports.tables import Cell, Column, Table, neutral, to_csv, to_markdown
from evalsuite.specs.loader import load_spec

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and attributes that run or load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            if name.startswith("on") or (name in ("src", "href", "action") and not (value or "").startswith("data:")):
                self.loads.append(f"{tag} {name}={value}")


def assert_harmless(page: str) -> None:
    found = Page(page)
    assert not found.tags & {"script", "iframe", "object", "embed", "link", "base", "form"} and found.loads == []
    assert "Content-Security-Policy" in page and "default-src 'none'" in page
    assert not OBEYED.search(page)


def test_the_report_of_a_hostile_run(hostile_run: Path) -> None:
    report = hostile_run / "report"
    page = (report / "index.html").read_text()
    assert_harmless(page)
    assert "&lt;script&gt;" in page
    markdown = (report / "table.md").read_text()
    assert "<script" not in markdown and "![x](" not in markdown and not OBEYED.search(markdown)
    for row in csv.reader(io.StringIO((report / "table.csv").read_text())):
        assert not any(cell.lstrip()[:1] in ("=", "@", "\t") for cell in row)


def test_the_page_of_a_preview(hostile_run: Path, tmp_path: Path) -> None:
    spec = load_spec(tmp_path / "specs" / "own.yaml")
    assert_harmless(preview_page(spec, "files", data_dir=tmp_path / "data"))


def test_the_page_of_a_data_check(hostile_run: Path, tmp_path: Path) -> None:
    place = tmp_path / "check.html"
    evalsuite.check_data("own", data="files", data_dir=tmp_path / "data", specs=[tmp_path / "specs"], html=place)
    assert_harmless(place.read_text())


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><td><img src=x onerror=alert(1)></td></tr></table>",
        "<table onclick=x()><tr onmouseover=x()><td style='background:url(http://evil)'>a</td></tr></table>",
        "<table><tr><td><script>x()</script><svg onload=x()></svg><a href='javascript:x()'>a</a></td></tr></table>",
        "<table><tr><td>&lt;script&gt;x()&lt;/script&gt;</td></tr></table>",
        "<table><tr><td colspan='2\" onclick=\"x()'>a</td></tr></table>",
        "<table>" * 5_000,
        "<table><tr><td>" + "<b>" * 50_000 + "x",
        "<table><!--><script>x()</script>--><tr><td>a</td></tr></table>",
        "<table><style><img src=x onerror=x()></style><tr><td>a",
        "<math><mtext><table><mglyph><style><img src=x onerror=x()>",
    ],
)
def test_a_table_is_rebuilt_without_what_runs(html: str) -> None:
    found = Page(safe_table(html))
    assert found.loads == [] and found.tags <= {"table", "tr", "td", "b", "tbody"}


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "|calc", "%x", "\x00=1"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    table = Table("=t", (Column("a", "A"),), ((Cell.of_text(text),),))
    _, line = csv.reader(io.StringIO(to_csv([table]), newline=""))
    assert line[0] == "'=t" and line[1].startswith("'")
    assert neutral("-3.5") == "-3.5" and neutral("+1e-3") == "+1e-3"


@pytest.mark.parametrize(
    "text", ["![x](http://evil/t.png)", "[x](javascript:alert(1))", "<img src=x>", "a|b\n|c|", "`|`<b>`"]
)
def test_markdown_has_no_links_images_or_cells_of_strangers(text: str) -> None:
    table = Table(
        text, (Column("a", "A"), Column("c", "C", "code")), ((Cell.of_text(text), Cell.of_text(text)),), text, (text,)
    )
    outside_code = [re.sub(r"`[^`]*`", "", line.replace("\\`", "")) for line in to_markdown(table).split("\n")]
    for line in outside_code:
        assert not re.search(r"(?<!\\)\]\(", line) and "<" not in line
    assert len(re.findall(r"(?<!\\)\|", outside_code[-4 if text else 0])) in (0, 3)
    gate = as_markdown([Verdict(text, text, text, REGRESSION, text, 1.0)], text)
    assert not re.search(r"(?<!\\)\]\(|<img", re.sub(r"`[^`]*`", "", gate))
    assert all(line.count("|") - line.count("\\|") in (0, 8) for line in gate.split("\n"))


@pytest.mark.parametrize(
    "text", ["\\input{/etc/passwd}", "\\write18{x}", "[2cm] a", "* a", "a & b \\\\ c", "$x$", "%a", "^^5cinput"]
)
def test_latex_runs_no_command_of_strangers(text: str) -> None:
    table = Table(text, (Column("a", "A"), Column("b", "B")), ((Cell.of_text(text), Cell.of_text(text)),), text)
    written = to_latex(table)
    (row,) = (
        line
        for line in written.split("\n")
        if line.endswith("\\\\") and line.startswith(("{}", "\\", "a", "A")) is not None and "A & B" not in line
    )
    assert row.replace("\\&", "").count("&") == 1 and not row.startswith(("[", "*"))
    commands = set(re.findall(r"\\([a-zA-Z]+)", written))
    ours = {"begin", "centering", "caption", "toprule", "midrule", "bottomrule", "end"}
    assert commands <= ours | {"textbackslash", "textasciicircum", "textasciitilde"}
    assert "^^" not in written and not re.search(r"(?<!\\)[%$]", written)


def test_results_stay_json_whatever_they_hold(hostile_run: Path) -> None:
    rows = json.loads((hostile_run / "results.json").read_text())
    assert any("<script>" in row["stratum"] for row in rows)
