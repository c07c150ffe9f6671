"""A kept folder is made once, whole, and again after damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.files.folders import KeptFolder


@pytest.fixture
def kept(tmp_path: Path) -> KeptFolder:
    return KeptFolder(tmp_path / "cache" / "model", "noted.json", lambda path: path.read_text())


def write(work: Path) -> None:
    (work / "a").write_text("good")


def test_a_folder_is_made_once_and_alone(kept: KeptFolder) -> None:
    calls = []

    def counted(work: Path) -> None:
        calls.append(work)
        write(work)

    assert kept.made(counted) == kept.made(counted) == kept.folder
    assert len(calls) == 1 and list(kept.folder.parent.iterdir()) == [kept.folder]
    assert sorted(path.name for path in kept.folder.iterdir()) == ["a", "noted.json"]


@pytest.mark.parametrize("name", ["a", "noted.json"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("[]")])
def test_a_damaged_folder_is_made_again(kept: KeptFolder, name: str, damage: object) -> None:
    kept.made(write)
    assert callable(damage)
    damage(kept.folder / name)
    assert not kept.is_complete()
    assert (kept.made(write) / "a").read_text() == "good" and kept.is_complete()
    assert list(kept.folder.parent.iterdir()) == [kept.folder]


def test_what_raises_leaves_nothing_behind(kept: KeptFolder) -> None:
    def fail(work: Path) -> None:
        write(work)
        raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        kept.made(fail)
    assert list(kept.folder.parent.iterdir()) == []


def test_a_folder_that_another_process_made_meanwhile_stays(kept: KeptFolder) -> None:
    def slower(work: Path) -> None:
        kept.made(write)
        (work / "a").write_text("late")

    assert (kept.made(slower) / "a").read_text() == "good"
