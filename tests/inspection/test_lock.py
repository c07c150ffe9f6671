"""A lock pins what was read: commits or files, how many examples, and a fingerprint of what they say."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.data import open_task_data
from evalsuite.errors import Caution, DataError
from evalsuite.inspection.lock import (
    Lock,
    check_source,
    differences,
    lock_task,
    read_lock,
    with_locked_revisions,
    without_media,
    write_lock,
)
from evalsuite.specs.schema import TaskSpec

Make = Callable[..., TaskSpec]
Write = Callable[..., Path]
Rows = list[dict[str, Any]]
OTHER = "f" * 40


def test_a_hub_data_set_is_locked_with_its_commit_its_size_and_its_content(
    make_spec: Make, write: Write, rows: Rows, hub: Any
) -> None:
    write(rows)
    locked = lock_task(make_spec(), "hub").splits["val"]
    assert locked.source == {"id": "owner/name", "config": None, "split": "val", "revision": hub.newest}
    assert (locked.examples, locked.unusable, len(locked.content)) == (4, 0, 64)


def test_local_files_are_locked_with_their_digests(make_spec: Make, write: Write, rows: Rows) -> None:
    locked = lock_task(make_spec(), "files", data_dir=write(rows)).splits["val"]
    (file,) = locked.source["files"]
    assert file["name"] == "val.jsonl" and len(file["sha256"]) == 64


def test_the_content_is_the_same_wherever_it_is_read_from(make_spec: Make, write: Write, rows: Rows, hub: Any) -> None:
    folder = write(rows)
    from_files = lock_task(make_spec(), "files", data_dir=folder).splits["val"]
    assert from_files.content == lock_task(make_spec(), "hub").splits["val"].content


@pytest.mark.parametrize("change", [{"id": 9}, {"question": "other?"}, {"answers": ["c"] * 10}])
def test_the_content_depends_on_ids_prompts_and_references(
    make_spec: Make, write: Write, rows: Rows, change: dict[str, Any]
) -> None:
    before = lock_task(make_spec(), "files", data_dir=write(rows)).splits["val"]
    now = lock_task(make_spec(), "files", data_dir=write([*rows[:3], {**rows[3], **change}])).splits["val"]
    assert before.content != now.content


def test_the_content_does_not_depend_on_columns_that_are_not_read(make_spec: Make, write: Write, rows: Rows) -> None:
    before = lock_task(make_spec(), "files", data_dir=write(rows)).splits["val"]
    now = lock_task(make_spec(), "files", data_dir=write([{**row, "more": 2} for row in rows])).splits["val"]
    assert before.content == now.content and before.source != now.source


def test_images_are_neither_opened_nor_transferred(make_spec: Make, write: Write, rows: Rows) -> None:
    folder = write(rows)
    for picture in (folder / "images").iterdir():
        picture.write_bytes(b"broken")
    assert lock_task(make_spec(), "files", data_dir=folder).splits["val"].unusable == 0
    columns = open_task_data(without_media(make_spec()), "files", data_dir=folder).mapper.columns.needed
    assert columns == {"id", "question", "answers"}


def test_an_unusable_example_is_counted_and_is_part_of_the_content(make_spec: Make, write: Write, rows: Rows) -> None:
    sound = lock_task(make_spec(), "files", data_dir=write(rows)).splits["val"]
    broken = lock_task(make_spec(), "files", data_dir=write([*rows[:3], {**rows[3], "question": None}])).splits["val"]
    assert (broken.examples, broken.unusable) == (4, 1) and broken.content != sound.content


def test_a_file_gives_back_what_was_written(make_spec: Make, write: Write, rows: Rows, tmp_path: Path) -> None:
    lock = Lock({"tiny": lock_task(make_spec(), "files", data_dir=write(rows))})
    write_lock(tmp_path / "a.json", lock)
    assert read_lock(tmp_path / "a.json") == lock
    write_lock(tmp_path / "b.json", read_lock(tmp_path / "a.json"))
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as a lock file"),
        ("[]", "not a lock file of version 1"),
        ('{"lock_version": 2, "tasks": {}}', "not a lock file of version 1"),
        ('{"lock_version": 1, "tasks": {"a": {"data": "hub", "spec_version": 1, "splits": {}}}}', "damaged"),
        ('{"lock_version": 1, "tasks": {"a": 5}}', "damaged"),
    ],
)
def test_a_file_that_is_no_lock_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "lock.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_lock(tmp_path / "lock.json")


def test_a_changed_file_is_refused_and_one_of_before_is_taken_with_a_word(
    make_spec: Make, write: Write, rows: Rows, tmp_path: Path
) -> None:
    lock, path = Lock({"tiny": lock_task(make_spec(), "files", data_dir=write(rows))}), tmp_path / "lock.json"
    write_lock(path, lock)
    whole, chance = path.read_bytes(), random.Random(0)
    for _ in range(200):
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
        with pytest.raises(DataError, match=r"lock\.json: "):
            read_lock(path)
    path.write_bytes(whole.replace(b'"examples": 4', b'"examples": 3'))
    with pytest.raises(DataError, match=r"was changed .* move it away and lock the data that are there"):
        read_lock(path)
    document = json.loads(whole)
    path.write_text(json.dumps(document, sort_keys=True))
    assert read_lock(path) == lock, "a formatter may have been over it"
    del document["digest"]
    path.write_text(json.dumps(document))
    with pytest.warns(Caution, match="carries no digest"):
        assert read_lock(path) == lock


def test_a_missing_file_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="write it with: evalsuite data lock"):
        read_lock(tmp_path / "lock.json")


def test_a_locked_revision_takes_the_place_of_the_newest(make_spec: Make, write: Write, rows: Rows, hub: Any) -> None:
    write(rows)
    lock = Lock({"tiny": lock_task(make_spec(), "hub")})
    locked_at, hub.newest = hub.newest, OTHER
    pinned = with_locked_revisions(make_spec(), lock)
    assert pinned.data.hub is not None and pinned.data.hub.revision == locked_at
    check_source(lock, open_task_data(pinned, "hub"), ["val"])
    assert hub.asked[-1] == locked_at


def test_second_tables_of_other_data_sets_are_pinned_too(make_spec: Make, write: Write, rows: Rows, hub: Any) -> None:
    write(rows)
    lookup = {"name": "found", "on": "id", "key": "id", "id": "owner/other"}
    spec = make_spec(data={"hub": {"id": "owner/name", "lookups": [lookup]}})
    pinned = with_locked_revisions(spec, Lock({"tiny": lock_task(spec, "hub")}))
    assert pinned.data.hub is not None
    assert [table.revision for table in pinned.data.hub.lookups] == [hub.newest]


def test_a_revision_that_the_spec_pins_itself_stays(make_spec: Make, write: Write, rows: Rows, hub: Any) -> None:
    write(rows)
    lock = Lock({"tiny": lock_task(make_spec(), "hub")})
    spec = with_locked_revisions(make_spec(data={"hub": {"id": "owner/name", "revision": OTHER}}), lock)
    with pytest.raises(DataError, match=f'revision was "{hub.newest}", now "{OTHER}"'):
        check_source(lock, open_task_data(spec, "hub"), ["val"])


def test_changed_files_are_refused_by_name(make_spec: Make, write: Write, rows: Rows) -> None:
    lock = Lock({"tiny": lock_task(make_spec(), "files", data_dir=write(rows))})
    check_source(lock, open_task_data(make_spec(), "files", data_dir=write(rows)), ["val"])
    changed = open_task_data(make_spec(), "files", data_dir=write(rows[:3]))
    with pytest.raises(DataError, match=r"tiny, split 'val': not the data of the lock file: file val\.jsonl changed"):
        check_source(lock, changed, ["val"])


def test_what_the_lock_does_not_hold_is_refused(make_spec: Make, write: Write, rows: Rows, hub: Any) -> None:
    files = open_task_data(make_spec(), "files", data_dir=write(rows))
    with pytest.raises(DataError, match="tiny: not in the lock file"):
        check_source(Lock(), files, ["val"])
    lock = Lock({"tiny": lock_task(make_spec(), "hub")})
    with pytest.raises(DataError, match="holds its hub data, not its files data"):
        check_source(lock, files, ["val"])
    more = open_task_data(make_spec(splits=[{"name": "val"}, {"name": "test"}]), "hub")
    with pytest.raises(DataError, match="does not hold split 'test'"):
        check_source(lock, more, ["test"])


def test_differences_say_what_differs(make_spec: Make, write: Write, rows: Rows) -> None:
    before = lock_task(make_spec(), "files", data_dir=write(rows))
    assert differences(before, before) == []
    now = lock_task(make_spec(), "files", data_dir=write(rows[:3]))
    assert differences(before, now) == [
        "split val: file val.jsonl changed",
        "split val: 4 examples were locked, now there are 3",
        "split val: ids, prompts or references differ",
    ]


def test_a_change_of_the_spec_is_told_from_one_of_the_data(make_spec: Make, write: Write, rows: Rows) -> None:
    folder = write(rows)
    before = lock_task(make_spec(), "files", data_dir=folder)
    spec = make_spec(version=2, prompt={"prefix": "{question}"})
    (found,) = differences(before, lock_task(spec, "files", data_dir=folder))
    assert "the source is the same, but the spec (version 1 then, 2 now)" in found


def test_masks_in_bytes_can_be_locked(make_spec: Make, write: Write, rows: Rows) -> None:
    """Data sets hold run lengths as bytes, which JSON has no form for."""
    from evalsuite.inspection.lock import _as_json

    assert json.dumps([b"\x80a"], default=_as_json) == '["\\u0080a"]'


def test_a_plan_reads_the_locked_commit_though_the_data_set_moved_on(
    own_task: Callable[..., Path], hub: Any, tmp_path: Path
) -> None:
    from evalsuite.engine.planning import make_plan
    from evalsuite.settings.run import RunConfig
    from evalsuite.specs import TaskRegistry

    specs = own_task([{"id": "1", "question": "q", "answer": "a"}], data={"hub": {"id": "owner/name"}})
    hub.folder = tmp_path / "data" / "own"
    registry = TaskRegistry((specs,))
    write_lock(tmp_path / "lock.json", Lock({"own": lock_task(registry.get("own"), "hub")}))
    locked_at, hub.newest = hub.newest, OTHER
    config = RunConfig("echo", "own", data="hub", lock=tmp_path / "lock.json", specs=(specs,), out=tmp_path / "out")
    (task,) = make_plan(config, registry).tasks
    assert task.fingerprint["splits"]["test"]["revision"] == locked_at
    assert task.spec.data.hub is not None and task.spec.data.hub.revision == locked_at
