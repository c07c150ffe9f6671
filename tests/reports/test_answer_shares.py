"""Beside a value: which share of the answers was unread, cut, empty or withheld, and warnings above five percent."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evalsuite.errors import StoreError
from evalsuite.reports import ResultRow, run_table, run_tables, to_csv, to_html, to_markdown, to_terminal, write_report
from evalsuite.reports.answer_shares import row_warnings
from evalsuite.reports.latex import to_latex
from evalsuite.reports.rows import parse_row
from evalsuite.reports.scaling.study import study_report

MakeRow = Callable[..., ResultRow]


def text_of(table: Any, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(to_terminal(table, width))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


class TestTables:
    def test_a_share_has_a_column_as_soon_as_it_is_not_zero(self, make_row: MakeRow) -> None:
        plain = run_table([make_row(unread=0, cut=0, empty=0, withheld=0), make_row()])
        assert not {"unread", "cut", "empty", "withheld"} & {column.key for column in plain.columns}
        table = run_table([make_row(cut=1, empty=0), make_row(cut=0, empty=0)])
        assert [column.key for column in table.columns if column.kind == "share"] == ["cut"]
        assert "Shares of n: cut (ended by the token limit)." in table.caption
        assert [row[5].text for row in table.rows] == ["<0.1%", ""]

    def test_the_narrowest_terminal_keeps_it_beside_the_value(self, make_row: MakeRow) -> None:
        shown = text_of(run_table([make_row(empty=2500, cut=30, unread=10, withheld=5)]), 80)
        assert all(word in shown for word in ("141.90", "Unread", "0.2%", "Cut", "0.6%", "Empty", "50.0%", "Withheld"))
        assert max(map(len, shown.splitlines())) <= 80

    def test_csv_has_the_number_and_the_percentage(self, make_row: MakeRow) -> None:
        rows = [make_row(cut=None, empty=0, unread=1), make_row(headline=False, metric="bleu", empty=2500)]
        first, second = csv.DictReader(io.StringIO(to_csv(run_tables(rows))))
        assert (first["unread"], first["unread_percent"], first["empty"]) == ("1", "0.02", "")
        assert (second["unread"], second["empty"], second["empty_percent"]) == ("", "2500", "50.0")
        assert "cut" not in first

    def test_what_is_above_five_percent_cannot_be_missed(self, make_row: MakeRow) -> None:
        table = run_table([make_row(empty=251, cut=250)])
        assert "| 5.0% | **5.0%** |" in to_markdown(table)
        html = to_html(table)
        assert '<td class="number">5.0%</td>' in html and '<td class="number warn">5.0%</td>' in html

    def test_an_imported_value_of_no_known_answers_has_no_share(self, make_row: MakeRow) -> None:
        assert "empty" not in {column.key for column in run_table([make_row(n=0, empty=3)]).columns}


class TestWarnings:
    def test_a_warning_names_task_split_share_cause_and_way_out(self, make_row: MakeRow) -> None:
        row = make_row(unread=2500, cut=251, empty=1000, withheld=300, signature="yes_no|v1|variant:official")
        unread, cut, empty, withheld = row_warnings([row])
        assert unread.startswith(
            "cococap, validation: 50.0% of the answers (2,500 of 5,000) could not be read in full by yes_no"
        )
        assert "evalsuite metrics show yes_no" in unread
        assert "5.0% of the answers (251 of 5,000) were cut at the token limit. Raise decoding.max_new_tokens" in cut
        assert "are empty. Usual causes: logits that are NaN" in empty and "--dtype bfloat16" in empty
        assert "were withheld by a filter of the server" in withheld

    def test_five_percent_is_none(self, make_row: MakeRow) -> None:
        assert row_warnings([make_row(unread=250, cut=250, empty=250, withheld=250), make_row()]) == []

    def test_a_stratum_is_named_where_the_whole_is_in_order(self, make_row: MakeRow) -> None:
        """One language of 36 without an answer is 3 % of the whole."""
        rows = [make_row(n=3600, empty=100), make_row(stratum="language=th", n=100, empty=100, paper_name="")]
        (warning,) = row_warnings(rows)
        assert warning.startswith("cococap, validation, language=th: 100.0% of the answers (100 of 100) are empty.")
        (warning,) = row_warnings(
            [*rows, make_row(split="test", empty=4000), make_row(stratum="a=b", split="test", n=9)]
        )
        assert "test: 80.0%" in warning and "language=th: 100.0%" in warning and "a=b" not in warning

    def test_many_places_are_one_sentence(self, make_row: MakeRow) -> None:
        rows = [make_row(run=f"run{n}", metric=m, cut=5000) for n in range(9) for m in ("cider", "bleu")]
        (warning,) = row_warnings(rows)
        assert "run0, validation: 100.0%" in warning and "and 6 more places were cut" in warning

    def test_the_page_and_its_markdown_begin_with_them(self, make_row: MakeRow, make_run: Callable[..., Path]) -> None:
        files = write_report([make_run([make_row(empty=4000)])])
        page, markdown = files.html.read_text(), files.markdown.read_text()
        assert '<div class="caution" role="note"><ul>\n<li>Warning: cococap, validation: 80.0% of the answers' in page
        assert '<td class="number warn">80.0%</td>' in page
        assert "\n- Warning: cococap, validation: 80.0% of the answers" in markdown and "**80.0%**" in markdown
        assert ",4000,80.0," in files.csv.read_text()


class TestValuesThatStandAlone:
    def test_a_mark_and_a_note_tell_the_cell_in_every_form(self, make_row: MakeRow) -> None:
        def row(size: str, resolution: int, **changes: Any) -> ResultRow:
            attributes = {"size": size, "resolution": resolution}
            return make_row(run=f"{size}-{resolution}", attributes=attributes, reference="", **changes)

        rows = [row("3B", 224, cut=1000, value=10.0), row("10B", 224, value=12.0), row("3B", 448, value=11.0)]
        report = study_report(rows)
        table = report.tables["scaling"]
        note = "† COCOcap, validation: of the answers 20.0% were cut at the token limit"
        assert [cell.text for cell in table.rows[0][2:]] == ["10.0†", "12.0*", "11.0"]
        assert table.notes[0] == f"{note} (in 1 of 3 runs: 3B-224)."
        assert r"10.0\dag{} &" in to_latex(table) and r"\footnotesize \dag{} COCOcap" in to_latex(table)
        assert note in to_markdown(table)
        assert report.tables["improvements"].rows[0][0].text == "COCOcap†"  # made of all three
        assert [row[2].text for row in report.tables["cost"].rows] == ["10.00†", "12.00", "11.00"]
        for plot in report.plots.values():
            assert plot.chart.notes[0].startswith(note) and plot.figure.get_suptitle().startswith("† COCOcap")

    def test_nothing_is_marked_where_all_is_in_order(self, make_row: MakeRow) -> None:
        rows = [make_row(attributes={"size": size, "resolution": 224}, cut=0, unread=0) for size in ("3B", "10B")]
        report = study_report(rows)
        assert report.tables["scaling"].notes == () and "†" not in to_markdown(report.tables["scaling"])
        assert all(not plot.chart.notes and not plot.figure.get_suptitle() for plot in report.plots.values())

    def test_pairs_and_rates_are_marked_too(self, make_row: MakeRow) -> None:
        def rows(name: str, values: tuple[object, object]) -> list[ResultRow]:
            return [make_row(attributes={name: value}, empty=n, value=9.0 + n) for n, value in enumerate(values)]

        quantized = study_report(rows("quantization", ("none", "int8"))).tables["quantized_int8"]
        assert [cell.text for cell in quantized.rows[0][1:3]] == ["9.0", "10.0†"] and quantized.notes
        families = study_report(rows("family", ("PaliGemma", "PaliGemma 2"))).tables["families"]
        assert [cell.text for cell in families.rows[0][1:3]] == ["9.0", "10.0†"] and families.notes
        rates = study_report(rows("learning_rate", (1e-5, 3e-5))).tables["best_learning_rates"]
        assert rates.rows[0][0].text == "COCOcap†" and rates.notes

    def test_of_many_notes_a_plot_shows_the_first(self, make_row: MakeRow) -> None:
        rows = [
            make_row(task=f"t{n}", paper_name=f"T{n}", reference="", empty=1, attributes={"size": s, "resolution": 224})
            for n in range(9)
            for s in ("3B", "10B")
        ]
        report = study_report(rows)
        assert len(report.tables["scaling"].notes) == 9
        assert report.plots["scaling_curves"].chart.notes[4:] == ("† and 5 more; the tables have all.",)


@pytest.mark.parametrize("value", ["3", True, 1.5, 1 << 60])
def test_a_count_of_another_kind_is_named(make_row: MakeRow, value: object) -> None:
    import dataclasses

    record = {**dataclasses.asdict(make_row()), "cut": value}
    with pytest.raises(StoreError, match="field 'cut'"):
        parse_row(record)
