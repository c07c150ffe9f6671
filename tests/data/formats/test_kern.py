"""Scores in **kern files."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.data.formats import load_format
from evalsuite.errors import DataError


def test_a_file_is_one_score(tmp_path: Path) -> None:
    path = tmp_path / "maj2_down_m-0-4.krn"
    path.write_text("**kern\t**kern\n4c\t4e\n*-\t*-\n")
    assert list(load_format("kern_files")(path)) == [{"transcription": "**kern\t**kern\n4c\t4e\n*-\t*-"}]


def test_another_file_is_refused_with_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.krn"
    path.write_text("<score>")
    with pytest.raises(DataError, match=r"a\.krn:1: .*<score>"):
        list(load_format("kern_files")(path))
