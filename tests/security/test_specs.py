"""A task spec from a stranger: it cannot run code, grow in memory, name files, or drown its reader in messages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.data.expressions import compile_expression
from evalsuite.errors import SpecError
from evalsuite.specs.loader import load_spec, validate_file
from evalsuite.studies.spec import load_study

BILLION_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BILLION_LAUGHS, "anchors and aliases"),
        ("id: !!python/object/apply:os.system ['touch owned']\n", "tags are not allowed"),
        ("id: !include /etc/passwd\n", "tags are not allowed"),
        ("a: " + "[" * 100_000 + "\n", "nested deeper"),
        ("a: " + "{a: " * 1_000 + "\n", "nested deeper"),
        ("a:\n" + "".join("  " * n + "- \n" for n in range(600)), "nested deeper|not valid YAML"),
        ("a: x" * 400_000, "larger than 1 MB"),
        ("--- a\n--- b\n", "top level"),
        ("a: \x00\n", "not valid YAML"),
    ],
)
def test_yaml_that_means_more_than_it_shows_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    for load in (load_spec, load_study):
        with pytest.raises(SpecError, match=message):
            load(tmp_path / "a.yaml")
    assert not Path("owned").exists()


def test_a_file_of_any_size_is_read_to_its_limit_only(tmp_path: Path, memory: Callable[..., object]) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(100 << 20)
    with memory(8), pytest.raises(SpecError, match="larger than 1 MB"):
        load_spec(tmp_path / "a.yaml")


@pytest.mark.parametrize("line", ["k{}: 1\n", "prompt{}: {{}}\n", "same: 1\n"])
def test_a_million_mistakes_are_told_in_a_few_lines(line: str, tmp_path: Path) -> None:
    text = "".join(line.format(n) for n in range(40_000))
    (tmp_path / "a.yaml").write_text(text)
    start = time.monotonic()
    problems = validate_file(tmp_path / "a.yaml")
    assert 0 < len(problems) <= 60 and sum(map(len, problems)) < 60_000
    assert time.monotonic() - start < 30


def test_a_long_value_is_not_repeated_in_full(own_task: Callable[..., Path]) -> None:
    specs = own_task([], family="X" * 500_000, typo="Y" * 400_000)
    assert 0 < max(map(len, validate_file(specs / "own.yaml"))) < 1_000


@pytest.mark.parametrize(
    ("metric", "parameter"),
    [
        ("radgraph_f1", "cache"),
        ("radgraph_f1", "weights"),
        ("embedding_similarity", "model"),
        ("mask_iou", "weights"),
        ("toxicity", "scores"),
        ("non_entailment", "ratings"),
        ("wups", "wordnet"),
    ],
)
def test_a_spec_names_no_file_that_a_metric_reads_or_writes(
    metric: str, parameter: str, own_task: Callable[..., Path]
) -> None:
    use = {"name": metric, "parameters": {parameter: "../../secret.jsonl"}, "headline": True}
    (problem,) = validate_file(own_task([], metrics=[use]) / "own.yaml")
    assert f"give --metric-option {metric}.{parameter}=" in problem


@pytest.mark.parametrize("name", ["..", ".", "../x", "a/b", "-x", "a\\b", "a\u0000"])
def test_the_name_of_a_split_is_no_path(name: str, own_task: Callable[..., Path]) -> None:
    assert validate_file(own_task([], splits=[{"name": name}]) / "own.yaml")


@pytest.mark.parametrize("id", ["../../x/y", "/x", "a/b/c", "-/-", "../y", "a/.."])
def test_a_hub_id_is_no_path(id: str, own_task: Callable[..., Path]) -> None:
    assert validate_file(own_task([], data={"hub": {"id": id}}) / "own.yaml")


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 900,
        "!" * 1_900 + "a",
        "[" * 500 + "]" * 500,
        "a" * 100_000,
        "@" + "|[@,@]|[]" * 30,  # 2 ** 30 elements
        "@" + "|[@,@,@,@,@,@,@,@]" * 10,
        "to_string([" * 20 + "@" + "])" * 20,
        "map(&[@,@], " * 20 + "a" + ")" * 20,
        "any_order(any_order(a))",
        "a." + "{x: @, y: @}.[x, y]." * 15 + "z",
    ],
)
def test_an_expression_that_could_outgrow_memory_or_the_stack_is_refused(expression: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_expression(expression)
    assert len(str(caught.value)) < 5_000


@pytest.mark.parametrize(
    "expression",
    [
        "padded(a, `100000000000`)",
        "replace(text, '', text)",
        "join(text, list)",
        "items(text)",
        "named_boxes(list, numbers, names)",
        "unique(objects)",
        "shares(box, size)",
        "at(list, `1e300`)",
    ],
)
def test_a_function_makes_no_giant_of_a_record(expression: str, memory: Callable[..., object]) -> None:
    record = {
        "a": 1,
        "text": "[" * 1_100_000,
        "list": ["x"] * 2_000,
        "numbers": [1] * 2_000,
        "names": ["n" * 1_000_000],
        "objects": [{"n": n} for n in range(50_000)],
        "box": [0, 0, 1, 1],
        "size": [0, 0],
    }
    get = compile_expression(expression).get
    start = time.monotonic()
    with memory(64), pytest.raises((ValueError, ArithmeticError, LookupError)):
        get(record)
    assert time.monotonic() - start < 20


def test_expressions_see_the_record_and_nothing_else() -> None:
    record = {"a": {"b": 1}}
    for expression in ("a.__class__", "__class__", "a.keys", "a.b.__add__", "__globals__"):
        assert compile_expression(expression).get(record) is None
