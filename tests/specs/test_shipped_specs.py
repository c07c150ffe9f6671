"""The shipped specs against the published protocol.

tests/fixtures/protocol.json holds what the papers and their released configurations fix, a line per printed row; what
they leave open is left out. Placeholders in prompts are written {}.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import evalsuite.specs
from evalsuite.reports.published import has_table, published_values
from evalsuite.specs.loader import validate_file
from evalsuite.specs.registry import TaskRegistry, shipped_folder
from evalsuite.specs.schema import TaskSpec

PROTOCOL: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "protocol.json").read_text(encoding="utf-8")
)
SPECS = {spec.id: spec for spec in TaskRegistry(plugins=False).select("all")}
GROUPS = {group.id: group for group in TaskRegistry(plugins=False).groups()}
FIRST = [
    "activitynet_qa", "chartqa", "cococap", "docvqa", "msrvtt_qa", "nlvr2", "pubtabnet", "refcoco", "tallyqa",
    "textvqa", "vqav2", "vsr", "vsr_random",
]  # fmt: skip


@pytest.fixture(params=sorted(SPECS))
def spec(request: pytest.FixtureRequest) -> TaskSpec:
    return SPECS[request.param]


def fixed(spec: TaskSpec, name: str) -> list[Any]:
    """What the protocol fixes for the rows of a spec: one value per row that has it."""
    return [PROTOCOL[row.name][name] for row in spec.rows if name in PROTOCOL.get(row.name, {})]


def test_the_first_tasks_are_there() -> None:
    assert set(FIRST) <= set(SPECS)


def test_every_name_in_a_spec_exists(spec: TaskSpec) -> None:
    """The registry does not look names up in shipped specs, because this test does."""
    assert validate_file(TaskRegistry(plugins=False).entry(spec.id).path) == []


def test_every_file_lies_in_the_folder_of_its_family_under_its_id() -> None:
    for path in shipped_folder().rglob("*.yaml"):
        assert path.stem in SPECS or path.stem in GROUPS
        assert path.parent.name == (SPECS[path.stem].family if path.stem in SPECS else "groups")


def test_every_file_begins_with_what_the_benchmark_asks() -> None:
    for path in shipped_folder().rglob("*.yaml"):
        assert re.match(r"# .{20,}\n", path.read_text(encoding="utf-8")), path.name


def test_the_prompt_is_the_published_one_to_the_space(spec: TaskSpec) -> None:
    prefix = re.sub(r"\{[^}]*\}", "{}", spec.prompt.prefix)
    assert {prefix, *fixed(spec, "prefix")} == {prefix}


def test_prompts_are_cut_and_answers_end_where_published(spec: TaskSpec) -> None:
    assert {spec.prompt.max_tokens, *fixed(spec, "text_len")} == {spec.prompt.max_tokens}
    longest = spec.decoding.max_new_tokens
    assert {longest, *fixed(spec, "max_new_tokens")} == {longest}


def test_beams_are_the_published_ones(spec: TaskSpec) -> None:
    assert {spec.decoding.beam_size, *fixed(spec, "beam_size")} == {spec.decoding.beam_size}


def test_images_are_prepared_as_at_the_published_evaluation(spec: TaskSpec) -> None:
    image = spec.image
    for name in ("antialias", "resize", "frames", "stride"):
        value = getattr(image, name)
        assert {value, *fixed(spec, name)} == {value}, name
    assert image.truncate == (spec.fields.video is None)
    if not spec.fields.video:
        assert {len(spec.fields.images), *fixed(spec, "images")} == {len(spec.fields.images)}


def test_the_checkpoint_is_the_published_transfer(spec: TaskSpec) -> None:
    assert {spec.transfer, *fixed(spec, "transfer")} == {spec.transfer}


def test_a_row_that_is_a_whole_split_has_its_published_size(spec: TaskSpec) -> None:
    """Save VQAv2's minival, which cannot be rebuilt and is scored on the whole validation split."""
    sizes = {split.name: split.size for split in spec.splits}
    for row in spec.rows:
        size = PROTOCOL.get(row.name, {}).get("size")
        if size is not None and not row.stratum and row.name != "VQAv2 (minival)":
            assert sizes[row.split] == size, row.name


def test_every_row_is_printed_in_the_table_it_names(spec: TaskSpec) -> None:
    for row in spec.rows:
        assert has_table(row.reference), row.reference
        assert published_values(row.reference, row.name, headline_value(spec)), row.name


def test_what_the_papers_leave_open_is_said(spec: TaskSpec) -> None:
    """A row without a published prompt, or a hub copy without a known commit, is a deviation that a reader sees."""
    text = " ".join(spec.deviations)
    if any("prefix" not in PROTOCOL[row.name] for row in spec.rows if row.name in PROTOCOL):
        assert "not published" in text
    if spec.data.hub and spec.data.hub.revision is None:
        assert "not pinned" in text


def test_every_task_has_a_synthetic_source(spec: TaskSpec) -> None:
    assert spec.data.synthetic is not None


def test_docvqa_is_pinned_to_the_known_commit() -> None:
    hub = SPECS["docvqa"].data.hub
    assert hub is not None and hub.revision == "539088ef8a8ada01ac8e2e6d4e372586748a265e"


def test_listing_all_tasks_loads_no_heavy_package() -> None:
    """``evalsuite tasks`` must answer at once: no metric, no numpy, no data room."""
    code = "import sys; from evalsuite.specs import TaskRegistry; TaskRegistry().ids(); print(*sorted(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(Path(evalsuite.specs.__file__).parents[2])}
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    heavy = {"numpy", "PIL", "jmespath", "torch", "datasets", "pandas", "evalsuite.metrics", "evalsuite.data"}
    assert not heavy & set(loaded.split())


def headline_value(spec: TaskSpec) -> str:
    """Name of the first value of the headline metric."""
    from evalsuite.metrics import load_metric

    use = spec.headline()
    return load_metric(use.name, **use.parameters).values[0].name
