"""Where tasks come from, and how they are selected."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import SpecError, UnknownName, UsageError
from evalsuite.specs import TaskRegistry

Write = Callable[..., Path]
Install = Callable[[str, str, str], None]


@pytest.fixture
def install(own_files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``install("package", "entry = module:name", "code")``: a distribution as pip would leave it on the path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    modules = set(sys.modules)

    def make(package: str, entry: str, code: str) -> None:
        own_files.write_package(site, package, code, "[evalsuite.tasks]", entry)

    yield make
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(site)):
            del sys.modules[name]


@pytest.fixture
def small(write_spec: Write) -> TaskRegistry:
    """Four tasks of two families, and nothing else."""
    for id, family in (("beta", "vqa"), ("alpha", "vqa"), ("delta", "captioning"), ("gamma", "captioning")):
        write_spec(("id: signs", f"id: {id}"), ("family: vqa", f"family: {family}"), name=f"specs/{family}/{id}.yaml")
    return TaskRegistry(["specs"], shipped=False, plugins=False)


def ids(registry: TaskRegistry, selection: str | list[str]) -> list[str]:
    return [spec.id for spec in registry.select(selection)]


def test_tasks_are_ordered_by_family_then_id(small: TaskRegistry) -> None:
    assert small.ids() == ["delta", "gamma", "alpha", "beta"]
    assert small.families() == ["captioning", "vqa"]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("beta,delta", ["beta", "delta"]),
        ("all", ["delta", "gamma", "alpha", "beta"]),
        ("family:vqa", ["alpha", "beta"]),
        ("beta,family:vqa", ["beta", "alpha"]),
        (" beta , beta,", ["beta"]),
        ("all,-family:vqa,-delta", ["gamma"]),
        (["beta,gamma", "alpha"], ["beta", "gamma", "alpha"]),
    ],
)
def test_a_selection_keeps_the_order_given_and_names_each_task_once(
    small: TaskRegistry, selection: str | list[str], expected: list[str]
) -> None:
    assert ids(small, selection) == expected


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("betta", "unknown task 'betta'. Did you mean 'beta'?"),
        ("family:vqaa", "unknown task 'family:vqaa'. Did you mean 'family:vqa'?"),
        ("all,-bet", "unknown task 'bet'. Did you mean 'beta'?"),
    ],
)
def test_an_unknown_word_of_a_selection_gets_the_nearest_one(small: TaskRegistry, selection: str, message: str) -> None:
    with pytest.raises(UnknownName) as caught:
        small.select(selection)
    assert str(caught.value) == message


@pytest.mark.parametrize("selection", ["", " , ", "beta,-beta", "-beta"])
def test_a_selection_of_nothing_is_refused(small: TaskRegistry, selection: str) -> None:
    with pytest.raises(UsageError, match="no task is selected"):
        small.select(selection)


def test_an_unknown_id_gets_the_nearest_one(small: TaskRegistry) -> None:
    with pytest.raises(UnknownName, match=r"unknown task 'gama'. Did you mean 'gamma'\?"):
        small.get("gama")


def test_a_folder_is_searched_below_and_a_file_is_taken(write_spec: Write) -> None:
    write_spec(name="deep/er/one.yml")
    assert TaskRegistry(["deep"], shipped=False, plugins=False).ids() == ["signs"]
    assert TaskRegistry(["deep/er/one.yml"], shipped=False, plugins=False).ids() == ["signs"]


def test_the_origin_of_a_task_is_known(write_spec: Write) -> None:
    path = write_spec()
    registry = TaskRegistry([path])
    assert (registry.entry("signs").origin, registry.entry("signs").path) == ("--specs", path)
    assert registry.entry("vqav2").origin == "shipped"


def test_an_id_in_two_files_is_refused_and_both_are_named(write_spec: Write) -> None:
    write_spec(name="a/one.yaml")
    write_spec(name="a/two.yaml")
    with pytest.raises(SpecError) as caught:
        TaskRegistry(["a"], shipped=False, plugins=False)
    assert caught.value.problems == ["a/two.yaml: task id 'signs' is taken by a/one.yaml; choose another id"]


def test_a_shipped_id_cannot_be_taken_over(write_spec: Write) -> None:
    path = write_spec(("id: signs", "id: docvqa"))
    with pytest.raises(SpecError, match=r"my.yaml: task id 'docvqa' is taken by .*docvqa.yaml; choose another id"):
        TaskRegistry([path])


def test_the_same_file_twice_is_one_task(write_spec: Write) -> None:
    path = write_spec(name="a/one.yaml")
    assert TaskRegistry(["a", path], shipped=False, plugins=False).ids() == ["signs"]


def test_mistakes_of_all_files_are_reported_together(write_spec: Write) -> None:
    write_spec(("version: 1", "version: 0"), name="a/one.yaml")
    write_spec(("id: signs", "id: two"), ("name: anls", "name: anlss"), name="a/two.yaml")
    with pytest.raises(SpecError) as caught:
        TaskRegistry(["a", "nowhere"], shipped=False, plugins=False)
    assert caught.value.problems == [
        "a/one.yaml:3: version: must be at least 1, not 0",
        "a/two.yaml:31: metrics[0].name: unknown metric 'anlss'. Did you mean 'anls'?",
        "--specs nowhere: no such file or folder",
    ]


def test_a_folder_without_specs_is_refused(write_spec: Write) -> None:
    Path(write_spec().parent / "empty").mkdir()
    with pytest.raises(SpecError, match=r"--specs empty: no \*.yaml file in this folder"):
        TaskRegistry(["empty"], shipped=False, plugins=False)


@pytest.mark.parametrize(
    "code",
    [
        "FOLDER = {folder!r}",
        "import pathlib\nFOLDER = pathlib.Path({folder!r})",
        "def FOLDER():\n    return {folder!r}",
        "FOLDER = {folder!r} + '/one.yaml'",
    ],
)
def test_a_package_adds_tasks_by_a_path_or_a_function(write_spec: Write, install: Install, code: str) -> None:
    folder = write_spec(name="tasks/one.yaml").resolve().parent
    install("streets", "all = streets:FOLDER", code.format(folder=str(folder)))
    registry = TaskRegistry(shipped=False)
    assert registry.get("signs").title == "Signs"
    assert registry.entry("signs").origin == "streets"


@pytest.mark.parametrize(
    ("entry", "code", "reason"),
    [
        (
            "all = streets:FOLDER",
            "raise ValueError('half installed')",
            "ValueError: half installed. Update or uninstall the package",
        ),
        (
            "all = streets:FOLDR",
            "FOLDER = '.'",
            "AttributeError: module 'streets' has no attribute 'FOLDR'. Update or uninstall the package",
        ),
        ("all = streets:FOLDER", "FOLDER = 7", "must give the path of a YAML file or folder, not int"),
        ("all = streets:FOLDER", "FOLDER = 'nowhere/at/all'", "no *.yaml file at nowhere/at/all"),
    ],
)
def test_a_broken_package_is_named(write_spec: Write, install: Install, entry: str, code: str, reason: str) -> None:
    write_spec()
    install("streets", entry, code)
    with pytest.raises(SpecError) as caught:
        TaskRegistry(shipped=False)
    assert caught.value.problems == [f"package 'streets', entry point 'all' of group evalsuite.tasks: {reason}"]
    assert TaskRegistry(["my.yaml"], shipped=False, plugins=False).ids() == ["signs"]
