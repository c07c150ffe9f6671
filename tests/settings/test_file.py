"""A run as a file: it means what the command line means, and every mistake in it is named with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalsuite
from evalsuite.errors import EvalsuiteError, SpecError
from evalsuite.settings.file import config_text, read_config
from evalsuite.settings.giving import ALL, from_values, from_words, run_config
from evalsuite.settings.run import SETTINGS, RunConfig

Command = Callable[..., Any]


def written(folder: Path, text: str) -> Path:
    (folder / "run.yaml").write_text(text, encoding="utf-8")
    return folder / "run.yaml"


def read_again(config: RunConfig, folder: Path) -> RunConfig:
    return run_config(read_config(written(folder, config_text(config))).given)


WORDS = {
    "backend": "echo",
    "tasks": "docvqa,textvqa",
    "limit": "10%",
    "splits": "val, test",
    "attributes": ["size=3B", "lr=1e-5", "resolution=448", "share=1.0"],
    "options": ["answer=yes", "threads=2", "note=a: b # c", "empty="],
    "metric_options": ["mask_iou.weights=vae oid.npz", "anls.threshold=0.5"],
    "max_errors": "3",
    "time_limit": "12.5",
    "out": "my runs/x",
    "specs": ["mine", "theirs"],
    "shard": "1/4",
    "data_seed": "-3",
    "dtype": "bfloat16",
}


def test_a_printed_command_line_reads_back_as_itself(tmp_path: Path) -> None:
    config = run_config(from_words(WORDS))
    again = read_again(config, tmp_path)
    assert again == config
    assert again.folder({}) == config.folder({})


def test_every_setting_can_be_printed_and_read(tmp_path: Path) -> None:
    config = run_config(from_words({**WORDS, "engine": "ray", "engine_options": ["cpus=1"], "ray_address": "auto"}))
    text = config_text(config)
    given_names = {name for name, known in SETTINGS.items() if f"{known.key}:" in text}
    assert given_names >= set(WORDS) - {"dtype"} | {"engine", "engine_options", "ray_address"}
    assert read_again(config, tmp_path) == config


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text() | st.integers() | st.floats(-1e9, 1e9)))
def test_whatever_an_attribute_holds_reads_back(tmp_path_factory: pytest.TempPathFactory, values: Any) -> None:
    """Numbers stay numbers, texts that look like numbers or like YAML stay texts."""
    try:
        config = RunConfig(attributes=values)
        text = config_text(config)
        text.encode()
    except (EvalsuiteError, UnicodeError):
        return
    again = read_again(config, tmp_path_factory.mktemp("config"))
    assert again.attributes == values
    assert {name: type(value) for name, value in again.attributes.items()} == {k: type(v) for k, v in values.items()}


def test_names_are_those_of_the_options_with_either_sign_between_words(tmp_path: Path) -> None:
    dashes = read_config(written(tmp_path, "data-dir: x\nset: {a: 1}\noption: {b: true}\n")).given
    parameters = read_config(written(tmp_path, "data_dir: x\nattributes: {a: 1}\noptions: {b: true}\n")).given
    assert dashes == parameters == from_values({"data_dir": "x", "attributes": {"a": 1}, "options": {"b": "true"}})


def test_the_command_line_wins_and_leaves_what_it_does_not_name(tmp_path: Path) -> None:
    file = read_config(written(tmp_path, "backend: echo\nlimit: 5\noption: {answer: a, dtype: float32}\n"))
    config = run_config(file.given, from_words({"limit": "7", "options": ["answer=b"], "dtype": "bfloat16"}))
    assert (config.backend, str(config.limit)) == ("echo", "7")
    assert config.options == {"answer": "b", "dtype": "bfloat16"}


def test_a_shorthand_of_the_file_gives_way_to_the_option_it_stands_for(tmp_path: Path) -> None:
    file = read_config(written(tmp_path, "dtype: float32\n"))
    assert run_config(file.given, from_words({"options": ["dtype=float16"]})).options == {"dtype": "float16"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("backend: echo\ntassk: docvqa\n", 2, "Did you mean 'tasks'?"),
        ("\n\nlimit: ten\n", 3, "--limit ten: give a number of examples"),
        ("limit: [1]\n", 1, "--limit [1]"),
        ("tasks: all\ndata: hubb\n", 2, "Did you mean 'hub'?"),
        ("missing: errr\nbackend: replay\n", 1, "Did you mean 'error'?"),
        ("option:\n  threads: [1]\n", 2, "--option threads"),
        ("metric_option:\n  anls: 3\n", 2, "--metric-option anls"),
        ("set:\n  ok: 1\n  size: null\n", 3, "--set size: an attribute is a text or a finite number"),
        ("data_scale: 0\n", 1, "--data-scale 0"),
        ("data_scale: 2\ndata: hub\n", 1, "--data-scale 2"),
        ("time_limit: -1\n", 1, "--time-limit"),
        ("data_dir: x\ndata-dir: y\n", 2, "given twice"),
        ("limit: 1\nlimit: 2\n", 2, "limit"),
        ("quiet: true\n", 1, "an option of the command alone"),
        ("tasks: [docvqa\n", 2, "not valid YAML"),
        ("shard: 4/4\n", 1, "--shard 4/4"),
        ("predictions: a.json\n", 1, "--backend replay"),
        ("splits: [val, 3]\n", 1, "--splits"),
        ("workers: 1.5\n", 1, "--workers 1.5"),
        ("on_error: halt\n", 1, "--on-error"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(EvalsuiteError) as caught:
        evalsuite.run(config=path)
    assert f"run.yaml:{line}: " in str(caught.value)
    assert says in str(caught.value)


def test_all_mistakes_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_config(written(tmp_path, "bakend: echo\nlimit: 0\ndata: hubb\n"))
    assert [problem.split(":")[1] for problem in caught.value.problems] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("backend: echo\ntasks: docvqq\n", 2),
        ("tasks: docvqa\nbackend: ecko\n", 2),
        ("backend: echo\ntasks: docvqa\noption:\n  answr: x\n", 4),
        ("backend: echo\ntasks: docvqa\nsplits: [trian]\n", 3),
        ("backend: echo\ntasks: docvqa\nmetric_option: {anlss: {x: 1}}\n", 3),
        ("backend: echo\ntasks: docvqa\nmetric_option:\n  anls: {threshold: high}\n", 4),
        ("backend: echo\ntasks: docvqa\nmodel: 'x/{sise}'\n", 3),
        ("backend: echo\ntasks: docvqa\ndata: files\ndata_dir: nowhere\n", 4),
    ],
)
def test_what_only_the_plan_finds_out_has_its_line_too(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(EvalsuiteError, match=rf"run\.yaml:{line}: "):
        evalsuite.run(config=written(tmp_path, text))


def test_a_mistake_of_the_command_line_is_not_put_down_to_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "backend: echo\ntasks: docvqa\n")
    with pytest.raises(EvalsuiteError) as caught:
        evalsuite.run(config=path, limit="ten")
    assert "run.yaml" not in str(caught.value)


def test_a_run_from_its_printed_config_is_the_same_run(tmp_path: Path, evalsuite: Command) -> None:
    words = [
        "--backend",
        "echo",
        "--tasks",
        "docvqa,textvqa",
        "--limit",
        "3",
        "--set",
        "seed=1",
        "--option",
        "answer=x",
    ]
    printed = evalsuite("run", *words, "--print-config")
    assert printed.returncode == 0
    path = written(tmp_path, printed.stdout)
    first = evalsuite("run", *words, "--json", "--quiet")
    second = evalsuite("run", "--config", str(path), "--json", "--quiet")
    assert first.returncode == second.returncode == 0, second.stderr
    assert json.loads(first.stdout) == json.loads(second.stdout)
    (folder,) = (tmp_path / "runs").iterdir()  # one folder: the second command found the run finished
    sessions = json.loads((folder / "manifest.json").read_text())["sessions"]
    assert [session["answered"] for session in sessions] == [6, 0]


def test_help_lists_every_setting(evalsuite: Command) -> None:
    shown = evalsuite("run", "--help").stdout
    assert [known.flag for known in ALL.values() if known.flag not in shown] == []
