"""docs/tasks.md is read from the specs; docs/data.md names what the synthetic world can make."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.data.synthetic.records import generators
from evalsuite.documentation.tasks import LEFT_OUT, left_out, tasks_page
from evalsuite.specs import TaskRegistry

PAGE = Path(__file__).parents[2] / "docs" / "tasks.md"


@pytest.fixture(scope="module")
def page() -> str:
    return tasks_page()


def row(page: str, task: str) -> list[str]:
    """Cells of a task's row."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"| [`{task}`]")]
    return [cell.strip() for cell in line.strip("| ").split(" | ")]


def test_the_page_in_docs_is_the_generated_one(page: str) -> None:
    again = "specs changed: run python -m evalsuite.documentation.tasks > docs/tasks.md"
    assert PAGE.read_text(encoding="utf-8") == page, again


def test_every_task_and_average_has_a_row_and_a_section(page: str) -> None:
    registry = TaskRegistry(plugins=False)
    for id in [*registry.ids(), *(group.id for group in registry.groups())]:
        assert row(page, id) and f"\n### {id}\n" in page


def test_a_row_says_what_the_spec_fixes(page: str) -> None:
    _, prompt, splits, metric, answer, images, paper, data, _ = row(page, "cococap")
    assert (prompt, answer, images) == ("`caption en`<br>cut at 32", "32, beam 2", "stretch, no antialias")
    assert "validation (5,000)" in splits and "`cider`" in metric
    assert "COCOcap: 141.3 / 143.4" in paper
    assert data.startswith("hub `") and data.endswith("files, synthetic")


def test_the_benchmarks_own_rule_stands_beside_the_papers(page: str) -> None:
    assert row(page, "docvqa")[3].count("`anls`") == 2 and "official:" in row(page, "docvqa")[3]


def test_a_value_of_another_model_or_table_says_whose_it_is(page: str) -> None:
    assert "PubTabNet: 97.3 (PaliGemma 2 3B 896px)" in row(page, "pubtabnet")[6]


def test_every_deviation_is_on_the_page(page: str) -> None:
    for spec in TaskRegistry(plugins=False).select("all"):
        section = page.split(f"\n### {spec.id}\n")[1].split("\n## ")[0].split("\n### ")[0]
        assert section.count("\n- Deviation: ") == len(spec.deviations)
        assert not spec.gating or "\n- To obtain: " in section


def test_every_generator_is_described_with_its_knobs() -> None:
    text = PAGE.with_name("data.md").read_text(encoding="utf-8")
    for name, generator in generators().items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert [knob for knob in generator.knobs if knob not in ("width", "height") and f"`{knob}` (" not in line] == []


def test_what_is_left_out_is_said_with_the_reason(page: str) -> None:
    last = page.split("\n## Left out\n")[1]
    for one in left_out(TaskRegistry(plugins=False).ids()):
        assert f"- **{one.name}**: {one.why}" in last


def test_what_has_become_a_task_is_no_longer_left_out() -> None:
    assert len(left_out([])) == len(LEFT_OUT)
    gone = {one.name for one in LEFT_OUT} - {one.name for one in left_out(["vqav2", "pali3_smit_cap"])}
    assert gone == {"Spoken Moments in Time captions (PaLI-3)"}
