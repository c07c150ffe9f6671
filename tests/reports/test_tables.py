"""From rows to tables: what stands where, what may be compared, and how each renderer escapes text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.errors import StoreError
from evalsuite.reports import (
    Cell,
    Column,
    ResultRow,
    Table,
    read_rows,
    run_table,
    run_tables,
    to_csv,
    to_html,
    to_markdown,
    to_terminal,
)

MakeRow = Callable[..., ResultRow]
MakeRun = Callable[..., Path]


def cells(table: Table, row: int = 0) -> dict[str, str]:
    """Shown text of one row by column key."""
    return {column.key: cell.text for column, cell in zip(table.columns, table.rows[row], strict=True)}


def text_table(text: str, kind: str = "text") -> Table:
    return Table("T", (Column("a", "A", kind),), ((Cell.of_text(text),),))  # type: ignore[arg-type]


class TestRunTable:
    def test_a_row_shows_value_interval_published_value_and_difference(self, make_row: MakeRow) -> None:
        assert cells(run_table([make_row()])) == {
            "task": "COCOcap",
            "part": "validation",
            "metric": "cider (CIDEr x 100)",
            "value": "141.90",
            "ci": "138.25 to 145.50",
            "published": "141.3 ± 0.5",
            "difference": "+0.6",
            "published_for": "PaliGemma 2 3B 224px",
            "n": "5000",
            "errors": "0",
            "signature": "cider|v1|tokenizer:ptb",
        }

    @pytest.mark.parametrize(
        ("attributes", "published_for", "difference"),
        [
            ({"size": "10b", "resolution": "448px"}, "PaliGemma 2 10B 448px", "-3.1"),
            ({"resolution": 448}, "PaliGemma 2 3B 448px", "-1.5"),
            ({}, "PaliGemma 2 3B 224px", "+0.6"),
        ],
    )
    def test_the_published_cell_is_that_of_the_runs_size_and_resolution(
        self, make_row: MakeRow, attributes: dict[str, str], published_for: str, difference: str
    ) -> None:
        shown = cells(run_table([make_row(attributes=attributes)]))
        assert (shown["published_for"], shown["difference"]) == (published_for, difference)

    @pytest.mark.parametrize("attributes", [{"size": "28B", "resolution": 896}, {"size": "7B"}, {"resolution": "high"}])
    def test_an_unpublished_size_or_resolution_gets_no_published_value(
        self, make_row: MakeRow, attributes: dict[str, str]
    ) -> None:
        assert "published" not in cells(run_table([make_row(attributes=attributes)]))

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"data": "synthetic"}, "the data are synthetic"),
            ({"model": "tiny"}, "the model has random weights"),
            ({"backend": "echo"}, "the answers are not a model's"),
            ({"backend": "server"}, "a server prepared images and prompt by its own rules"),
        ],
    )
    def test_values_that_mean_nothing_are_not_compared(
        self, make_row: MakeRow, changes: dict[str, str], reason: str
    ) -> None:
        table = run_table([make_row(**changes)])
        assert f"not comparable with published numbers: {reason}" in table.caption
        assert "difference" not in cells(table)
        assert cells(table)["published"] == "141.3 ± 0.5"

    def test_replayed_answers_are_compared_whatever_the_default_model(self, make_row: MakeRow) -> None:
        assert cells(run_table([make_row(backend="replay", model="tiny")]))["difference"] == "+0.6"

    def test_the_caption_names_the_runs_that_are_not_comparable(self, make_row: MakeRow) -> None:
        table = run_table([make_row(run="real"), make_row(run="toy", data="synthetic")])
        assert "Values of toy are not comparable" in table.caption
        assert [cells(table, 0)["difference"], cells(table, 1)["difference"]] == ["+0.6", ""]
        assert [cells(table, 0)["run"], cells(table, 1)["run"]] == ["real", "toy"]

    def test_a_part_of_the_split_is_not_compared_and_the_caption_says_which(self, make_row: MakeRow) -> None:
        table = run_table([make_row(partial="126 of 5,000 examples", title="A", paper_name="NoCaps"), make_row()])
        assert "difference" in cells(table) and cells(table)["difference"] == ""
        assert "Values of NoCaps are not comparable with published numbers: 126 of 5,000 examples." in table.caption

    @pytest.mark.parametrize(
        ("signature", "way_out"),
        [
            ("mask_iou|v1|weights:random(seed=0)", "mask_iou.weights=FILE"),
            ("embedding_similarity|v1|model:letter_trigrams", "embedding_similarity.model=FOLDER"),
            ("toxicity|v1|scores:word_list", "toxicity.scores=FILE"),
        ],
    )
    def test_values_of_a_stand_in_are_not_compared(self, make_row: MakeRow, signature: str, way_out: str) -> None:
        """A random mask decoder, letters instead of meaning, a list of words instead of a model."""
        table = run_table([make_row(signature=signature)])
        assert "difference" not in cells(table) and f"--metric-option {way_out}" in table.caption

    def test_a_narrow_terminal_keeps_task_metric_and_value(self, make_row: MakeRow) -> None:
        table = run_table([make_row()])
        wide = [column.header for column in to_terminal(table, 200).columns]
        narrow = [str(column.header) for column in to_terminal(table, 50).columns]
        assert len(wide) > len(narrow) and {"Task", "Metric", "Value"} <= set(narrow)

    def test_secondary_metrics_and_unnamed_strata_come_in_a_second_table(self, make_row: MakeRow) -> None:
        rows = [
            make_row(metric="bleu_4", headline=False),
            make_row(paper_name="", stratum="language=de"),
            make_row(),
        ]
        first, second = run_tables(rows)
        assert [cells(first)["metric"]] == ["cider (CIDEr x 100)"]
        assert [row[2].text for row in second.rows] == ["bleu_4 (CIDEr x 100)", "cider (CIDEr x 100)"]
        assert len(run_tables([make_row()])) == 1

    def test_a_table_that_names_its_metrics_serves_secondary_values_too(self, make_row: MakeRow) -> None:
        row = make_row(
            paper_name="PubTabNet", reference="paligemma2_table3", metric="s_teds", headline=False, attributes={}
        )
        shown = cells(run_table([row], headline=False))
        assert (shown["published"], shown["published_for"]) == ("97.6", "PaliGemma 2 3B 896px")

    def test_a_paper_row_has_one_published_value_so_other_metrics_have_none(self, make_row: MakeRow) -> None:
        other = make_row(metric="cider_d", headline=False)
        assert "published" not in cells(run_table([other], headline=False))

    def test_doubtful_published_cells_are_explained_below(self, make_row: MakeRow) -> None:
        row = make_row(paper_name="XM3600 (en)", reference="paligemma1_table1")
        assert "release README" in run_table([row]).notes[0]

    def test_an_unknown_published_table_is_said_not_raised(self, make_row: MakeRow) -> None:
        assert "'my_table'" in run_table([make_row(reference="my_table")]).notes[0]

    def test_protocol_stratum_and_direction_are_shown(self, make_row: MakeRow) -> None:
        row = make_row(metric="cer", unit="%", higher_is_better=False, protocol="official", stratum="subset=human")
        shown = cells(run_table([row]))
        assert shown["metric"] == "cer (%, official protocol, lower is better)"
        assert shown["part"] == "validation, subset=human"

    def test_an_undefined_value_is_a_word_and_has_no_difference(self, make_row: MakeRow) -> None:
        shown = cells(run_table([make_row(value=None, ci_low=None, ci_high=None)]))
        assert shown["value"] == "undefined"
        assert "ci" not in shown and "difference" not in shown


class TestRows:
    def test_rows_come_back_as_they_were_written(self, make_row: MakeRow, make_run: MakeRun) -> None:
        rows = [make_row(), make_row(value=None, ci_low=None, ci_high=None)]
        assert read_rows([make_run(rows)]) == rows

    def test_a_run_counts_once_given_twice_or_as_its_results_file(self, make_run: MakeRun, make_row: MakeRow) -> None:
        folder = make_run([make_row()], "x.json")
        assert len(read_rows([folder, folder, folder / "results.json"])) == 1

    def test_fields_of_a_later_version_are_ignored(self, make_row: MakeRow, make_run: MakeRun) -> None:
        path = make_run([make_row()]) / "results.json"
        data = json.loads(path.read_text())
        data[0]["brand_new"] = 1
        path.write_text(json.dumps(data))
        assert read_rows([path]) == [make_row()]

    def test_a_run_that_was_not_scored_says_how_to_score_it(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="evalsuite score"):
            read_rows([tmp_path])

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("[{]", "cannot be read"),
            ("{}", "expected one array"),
            ("[1]", "row 1: expected an object"),
            ('[{"task": "a"}]', "row 1: field 'task_version' is missing"),
        ],
    )
    def test_a_file_of_another_shape_is_named_with_its_mistake(
        self, tmp_path: Path, content: str, message: str
    ) -> None:
        (tmp_path / "results.json").write_text(content)
        with pytest.raises(StoreError, match=r"results\.json: ") as caught:
            read_rows([tmp_path])
        assert message in str(caught.value)

    @pytest.mark.parametrize(
        ("field", "value"), [("n", "5"), ("n", True), ("headline", 1), ("value", "1"), ("attributes", [])]
    )
    def test_a_field_of_another_type_is_named(
        self, make_row: MakeRow, make_run: MakeRun, field: str, value: object
    ) -> None:
        path = make_run([make_row()]) / "results.json"
        data = json.loads(path.read_text())
        data[0][field] = value
        path.write_text(json.dumps(data))
        with pytest.raises(StoreError, match=f"row 1: field '{field}' should be"):
            read_rows([path])


class TestRenderers:
    def test_markdown_has_aligned_columns_and_escaped_text(self) -> None:
        table = Table(
            "Results",
            (Column("a", "Task"), Column("b", "Value", "number"), Column("c", "Signature", "code")),
            ((Cell.of_text("a|b <img src=x> [x](http://y)\n*z*"), Cell.of_number(1.5), Cell.of_text("m|v1")),),
            caption="Read me.",
            notes=("A note.",),
        )
        assert to_markdown(table).splitlines() == [
            "## Results",
            "",
            "Read me.",
            "",
            "| Task | Value | Signature |",
            "| :--- | ---: | :--- |",
            r"| a\|b &lt;img src=x&gt; \[x\](http://y) \*z\* | 1.50 | `m\|v1` |",
            "",
            "- A note.",
        ]

    @pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@sum", "\t=1", "\n=1"])
    def test_csv_disarms_formulas(self, text: str) -> None:
        (_, (_, cell)) = csv.reader(io.StringIO(to_csv([text_table(text)])))
        assert cell == f"'{text}"

    def test_csv_keeps_a_row_with_a_carriage_return_whole(self) -> None:
        (_, (_, cell)) = csv.reader(io.StringIO(to_csv([text_table("a\r=1\r\nb")])))
        assert cell == "a\n=1\nb"

    @pytest.mark.parametrize("text", ["-3.5", "+2", "-1e-3", "plain", "a=b", ""])
    def test_csv_leaves_numbers_and_plain_text_alone(self, text: str) -> None:
        (_, (_, cell)) = csv.reader(io.StringIO(to_csv([text_table(text)])))
        assert cell == text

    def test_csv_has_full_precision_and_one_header_for_all_tables(self, make_row: MakeRow) -> None:
        rows = [make_row(value=-1.23456789), make_row(metric="bleu_4", headline=False)]
        first, second = csv.DictReader(io.StringIO(to_csv(run_tables(rows))))
        assert (first["table"], first["value"], first["ci_low"], first["ci_high"]) == (
            "Results", "-1.23456789", "138.25", "145.5",
        )  # fmt: skip
        assert first["published"] == "141.3"
        assert (second["table"], second["published"]) == ("Secondary metrics and strata", "")

    def test_html_escapes_cells_titles_captions_and_notes(self) -> None:
        evil = "<script>alert(1)</script>"
        page = to_html(Table(evil, (Column("a", evil),), ((Cell.of_text(evil),),), caption=evil, notes=(evil,)))
        assert "<script>" not in page
        assert page.count("&lt;script&gt;") == 4

    def test_html_can_draw_in_place_of_a_cell(self) -> None:
        assert '<td class="text"><svg/></td>' in to_html(text_table("x"), {"a": ["<svg/>"]})

    def test_the_terminal_gets_no_control_characters_and_no_markup(self) -> None:
        from rich.console import Console

        console = Console(file=io.StringIO(), width=60, force_terminal=False)
        console.print(to_terminal(text_table("\x1b[2J[red]x[/red]\x07")))
        printed = console.file.getvalue()  # type: ignore[attr-defined]
        assert "[2J[red]x[/red]" in printed
        assert "\x1b" not in printed and "\x07" not in printed

    def test_the_terminal_prints_each_signature_once_below(self, make_row: MakeRow) -> None:
        from rich.console import Console

        console = Console(file=io.StringIO(), width=150)
        console.print(to_terminal(run_table([make_row(), make_row(paper_name="NoCaps")])))
        assert console.file.getvalue().count("cider|v1|tokenizer:ptb") == 1  # type: ignore[attr-defined]
