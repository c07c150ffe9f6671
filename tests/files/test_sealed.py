"""Files with a digest of their own: what was changed is known, and what may be edited can be."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import Caution, DataError, StoreError
from evalsuite.files.sealed import DIGEST, read_sealed, write_sealed

DOCUMENT: dict[str, Any] = {
    "name": "a run \u001b \ud800 🙂",
    "values": [95.0, 1e-05, 66.66666666666667, 12345678901234567890],
    "limit": {"of": 1},
    "nested": {"list": [True, None, {"x": "y"}]},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_sealed(tmp_path / "a.json", DOCUMENT, ["limit"])
    return tmp_path / "a.json"


def is_whole(path: Path, *, exact: bool = False) -> bool:
    """Whether it can be read, and is what was written, "limit" aside."""
    try:
        read_sealed(path, ["limit"], exact=exact).check("restore it")
    except (ValueError, StoreError):
        return False
    return True


def test_what_was_written_comes_back_without_the_digest(path: Path) -> None:
    assert read_sealed(path, ["limit"], exact=True).document == DOCUMENT
    assert is_whole(path, exact=True)
    assert json.loads(path.read_text())[DIGEST].startswith("sha256:")


def test_no_flipped_bit_goes_unseen_in_a_file_that_nobody_edits(tmp_path: Path) -> None:
    write_sealed(tmp_path / "a.json", DOCUMENT)
    whole, chance = (tmp_path / "a.json").read_bytes(), random.Random(0)
    for _ in range(600):
        at, bit = chance.randrange(len(whole)), chance.randrange(8)
        (tmp_path / "a.json").write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
        with contextlib.suppress(ValueError):
            assert read_sealed(tmp_path / "a.json", exact=True).problem, (at, bit)


def test_a_new_form_of_the_same_content_counts_only_where_the_form_is_ours(path: Path) -> None:
    document = json.loads(path.read_text())
    document["values"][0] = 95
    path.write_text(json.dumps(document, indent=4, sort_keys=True))
    assert is_whole(path) and not is_whole(path, exact=True)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "another"},
        {"values": [95.0, 1e-05, 66.66666666666666, 12345678901234567890]},
        {"values": [95.0, 1e-05, 66.66666666666667, 12345678901234567891]},
        {"nested": {"list": [1, None, {"x": "y"}]}},
        {"more": None},
        {DIGEST: "sha256:" + "0" * 64},
        {DIGEST: 5},
    ],
)
def test_other_content_does_not(path: Path, change: dict[str, Any]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert not is_whole(path)
    with pytest.raises(DataError, match=r"a\.json: was changed .* does not fit\); restore it"):
        read_sealed(path, ["limit"]).check("restore it", DataError)


def test_what_may_be_edited_may(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "limit": {"of": 9}}))
    assert is_whole(path) and not is_whole(path, exact=True)


def test_a_key_that_stands_twice_makes_a_file_unreadable(path: Path) -> None:
    path.write_text(path.read_text().replace('"x": "y"', '"x": "z", "x": "y"'))
    with pytest.raises(ValueError, match="'x' stands twice in one object"):
        read_sealed(path, ["limit"])


def test_a_file_without_digest_is_said_to_be_old_once_or_refused(path: Path) -> None:
    path.write_text(json.dumps(DOCUMENT))
    sealed = read_sealed(path)
    with pytest.warns(Caution, match="old"):
        sealed.check("restore it", old=f"{path} is old")
    with pytest.raises(StoreError, match="carries no digest"):
        sealed.check("restore it")


def test_a_damaged_name_of_the_digest_does_not_make_a_file_old(path: Path) -> None:
    path.write_text(path.read_text().replace(f'"{DIGEST}"', '"dogest"'))
    with pytest.raises(StoreError, match="the name of its digest was changed"):
        read_sealed(path).check("restore it", old="it is old")
