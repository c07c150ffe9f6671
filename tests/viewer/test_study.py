"""``evalsuite view STUDY``: the runs of a study, begun or done, with its tables and figures."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from evalsuite.errors import StoreError
from evalsuite.reports import read_rows
from evalsuite.runs.lock import locked
from evalsuite.studies.running import run_study
from evalsuite.studies.spec import StudySpec
from evalsuite.viewer.browsing import Browser
from evalsuite.viewer.pages import read_query
from evalsuite.viewer.records import Query
from evalsuite.viewer.server import ViewerServer
from evalsuite.viewer.study import viewed_runs

SIZES, RESOLUTIONS = ("3B", "10B"), (224, 448)
GIVEN = {
    "name": "small",
    "backend": "echo",
    "tasks": "vqav2",
    "limit": 4,
    "axes": {"size": list(SIZES), "resolution": list(RESOLUTIONS)},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs of one task, by size and resolution."""
    folder = tmp_path_factory.mktemp("study") / "studies" / "small"
    run_study(StudySpec.model_validate(GIVEN), folder)
    return folder


@pytest.fixture
def ask(study: Path, serve: Callable[..., ViewerServer]) -> Callable[[str], tuple[str, Any]]:
    """``ask("/path")``: body and headers."""
    folders, studies = viewed_runs([study])
    server = serve(Browser.open(folders), studies)

    def call(path: str) -> tuple[str, Any]:
        with urllib.request.urlopen(server.url.rstrip("/") + path, timeout=60) as answer:
            return answer.read().decode(), answer.headers

    return call


def test_a_study_stands_for_its_runs(study: Path) -> None:
    folders, studies = viewed_runs([study, study / "size=3B,resolution=224"])
    assert [folder.name for folder in folders] == [f"size={s},resolution={r}" for s in SIZES for r in RESOLUTIONS]
    assert studies == [study]


def test_its_file_stands_for_it_too(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study.parent.parent)
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(GIVEN))
    assert len(viewed_runs([file])[0]) == 4
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"studies/small: the study of .*small\.yaml has not begun there"):
        viewed_runs([file])


def test_runs_without_results_are_looked_at_too(study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    (copy / "size=3B,resolution=224" / "results.json").unlink()
    shutil.rmtree(copy / "size=10B,resolution=448")
    folders, _ = viewed_runs([copy])
    assert len(folders) == 3 and Browser.open(folders).page(Query("vqav2", "validation")).total == 4
    for cell in json.loads((copy / "study.json").read_text())["cells"]:
        shutil.rmtree(copy / cell["folder"], ignore_errors=True)
    with pytest.raises(StoreError, match="no run of this study has begun"):
        viewed_runs([copy])


def test_results_that_were_changed_are_made_again_or_left_out(
    study: Path, serve: Callable[..., ViewerServer], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(study, tmp_path / "copy"))
    one, two = (copy / f"size={size},resolution=224" for size in SIZES)
    whole = (one / "results.json").read_text()
    (one / "results.json").write_text(whole.replace('"value": ', '"value": 5'))
    (two / "results.json").write_text("[]")
    folders, studies = viewed_runs([copy])
    with locked(two), ThreadPoolExecutor(1) as pool:  # as while a run goes on there
        server = serve(pool.submit(Browser.open, folders).result(), studies)
    assert (one / "results.json").read_text() == whole
    with urllib.request.urlopen(server.url, timeout=60) as answer:
        body = answer.read().decode()
    assert "size=10B,resolution=224/results.json: was changed or damaged" in body and "results.json" in body
    shown = body[body.index("<table") : body.index("</table>")]
    assert "3B" in shown and shown.count("<tr") == 4, "a head and the three others"


def test_a_changed_study_is_named(study: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(study, tmp_path / "copy"))
    text = (copy / "study.json").read_text()
    (copy / "study.json").write_text(text.replace("size=10B,resolution=448", "size=10B,resolution=44", 1))
    for read in (lambda: viewed_runs([copy]), lambda: read_rows([copy])):
        with pytest.raises(StoreError, match=r"study\.json: was changed .* evalsuite study run FILE"):
            read()


def test_the_summary_has_the_study_s_tables_states_and_figures(ask: Callable[[str], tuple[str, Any]]) -> None:
    body, headers = ask("/")
    assert "<h1>small</h1>" in body and "Scaling" in body and "size=10B,resolution=448" in body and "1 of 1" in body
    assert 'src="/figure?name=scaling_curves"' in body and "unsafe" not in headers["Content-Security-Policy"]


def test_a_figure_is_an_image_that_runs_nothing(ask: Callable[[str], tuple[str, Any]]) -> None:
    body, headers = ask("/figure?name=scaling_curves")
    assert headers["Content-Type"] == "image/svg+xml" and ElementTree.fromstring(body).tag.endswith("svg")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "script-src" not in headers["Content-Security-Policy"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask("/figure?name=../../manifest.json")


def test_of_many_runs_one_is_shown_and_others_can_stand_beside_it(study: Path) -> None:
    browser = Browser.open(viewed_runs([study])[0])
    given = {"task": "vqav2", "split": "validation"}

    def shown(**more: str) -> list[str]:
        return [answer.run for answer in browser.page(read_query({**given, **more})).cards[0].answers]

    assert shown() == ["size=3B,resolution=224"]
    assert shown(run="3", beside="1") == ["size=10B,resolution=448", "size=3B,resolution=448"]
    assert shown(run="1", beside="1") == ["size=3B,resolution=448"]
    assert shown(beside="none") == shown(beside="77") == shown()
