"""Hub data sets: needed columns only, nothing decoded, one commit; every refusal says what to do. No network."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evalsuite.data.expressions import Columns
from evalsuite.data.hub import ANY_COLUMN, HubSource, HuggingFaceHub
from evalsuite.errors import DataError
from evalsuite.media.images import ImageBytes
from evalsuite.specs.parts import HubSource as HubSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROWS = 5


class LocalHub:
    """Loads one local file with the library that loads hub data sets."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind, self.path, self.loaded = kind, path, list[tuple[Any, ...]]()

    def resolve(self, name: str, revision: str | None) -> str:
        return revision or COMMIT

    def load(self, name: str, config: str | None, split: str, revision: str) -> Any:
        import datasets

        self.loaded.append((name, config, split, revision))
        return datasets.load_dataset(self.kind, data_files={"test": str(self.path)}, split=split, streaming=True)


class BrokenHub:
    """Fails as told."""

    def __init__(self, error: Exception, resolves: bool = True) -> None:
        self.error, self.resolves = error, resolves

    def resolve(self, name: str, revision: str | None) -> str:
        if not self.resolves:
            raise self.error
        return COMMIT

    def load(self, name: str, config: str | None, split: str, revision: str) -> Any:
        raise self.error


def png(level: int) -> bytes:
    buffer = BytesIO()
    Image.new("L", (2, 2), level).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embedded images (one column alone, one in lists), as data sets on the hub hold them."""
    import datasets

    path = tmp_path_factory.mktemp("hub") / "data.parquet"
    features = datasets.Features(
        {
            "id": datasets.Value("int64"),
            "image": datasets.Image(),
            "pages": datasets.List(datasets.Image()),
            "qa": datasets.List({"question": datasets.Value("string"), "shot": datasets.Image()}),
            "unused": datasets.Value("string"),
        }
    )
    rows = [
        {
            "id": place,
            "image": {"bytes": png(place), "path": f"{place}.png"},
            "pages": [{"bytes": png(place), "path": None}],
            "qa": [{"question": "q", "shot": {"bytes": png(place), "path": None}}],
            "unused": "x",
        }
        for place in range(ROWS)
    ]
    datasets.Dataset.from_list(rows, features=features).to_parquet(path)
    return path


def source(hub: Any, columns: Columns = ANY_COLUMN, gating: str | None = None, **spec: Any) -> HubSource:
    return HubSource(HubSpec.model_validate({"id": "owner/name", **spec}), columns, gating, hub)


def test_records_keep_their_images_encoded_wherever_they_are_nested(parquet: Path) -> None:
    records = list(source(LocalHub("parquet", parquet)).records("test"))
    assert [record["id"] for record in records] == list(range(ROWS))
    assert records[3]["image"] == {"bytes": png(3), "path": "3.png"}
    assert records[3]["pages"][0]["bytes"] == records[3]["qa"][0]["shot"]["bytes"] == png(3)
    assert ImageBytes(records[3]["image"]["bytes"]).frames()[0].getpixel((0, 0)) == (3, 3, 3)


def test_only_needed_columns_are_transferred(parquet: Path) -> None:
    columns = Columns(frozenset(["id", "image", "absent"]), frozenset(["id"]))
    record = next(iter(source(LocalHub("parquet", parquet), columns).records("test")))
    assert set(record) == {"id", "image"}


def test_json_lines_have_no_schema_and_work_the_same(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"id": place, "image": "a.jpg", "more": 1}) + "\n" for place in range(ROWS)))
    columns = Columns(frozenset(["id", "image"]), frozenset(["id"]))
    records = list(source(LocalHub("json", path), columns).records("test"))
    assert records == [{"id": place, "image": "a.jpg"} for place in range(ROWS)]
    with pytest.raises(DataError, match=r"no column 'imag'\. Did you mean 'image'\? The columns are: id, image, more"):
        next(source(LocalHub("json", path), Columns(None, frozenset(["imag"]))).records("test"))


def test_a_split_may_have_another_name_on_the_hub(parquet: Path) -> None:
    hub = LocalHub("parquet", parquet)
    assert len(list(source(hub, splits={"val": "test"}, config="small", revision=COMMIT).records("val"))) == ROWS
    assert hub.loaded == [("owner/name", "small", "test", COMMIT)]


def test_a_split_is_opened_once_and_read_from_the_start_each_time(parquet: Path) -> None:
    hub = LocalHub("parquet", parquet)
    data = source(hub)
    assert [len(list(data.records("test"))) for _ in range(2)] == [ROWS, ROWS] and len(hub.loaded) == 1


def test_the_count_is_given_where_the_data_set_knows_it(parquet: Path) -> None:
    import datasets

    class Counted(LocalHub):
        def load(self, *arguments: Any) -> Any:
            data = super().load(*arguments)
            data.info.splits = datasets.SplitDict({"test": datasets.SplitInfo("test", num_examples=ROWS)})
            return data

    assert source(LocalHub("parquet", parquet)).count("test") is None
    assert source(Counted("parquet", parquet)).count("test") == ROWS


def test_the_fingerprint_names_the_commit_that_an_unpinned_spec_resolves_to(parquet: Path) -> None:
    fingerprint = source(LocalHub("parquet", parquet), splits={"val": "test"}).fingerprint("val")
    assert fingerprint == {"id": "owner/name", "config": None, "split": "test", "revision": COMMIT}


def test_a_wrong_split_lists_the_right_ones(parquet: Path) -> None:
    with pytest.raises(DataError, match=r"owner/name, split 'tset': there is no split 'tset'\. Did you mean 'test'\?"):
        next(source(LocalHub("parquet", parquet)).records("tset"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("BuilderConfig 'smal' not found. Available: ['small', 'full']"), "Did you mean 'small'"),
        (ValueError("Config name is missing. Please pick one among the available configs: ['a', 'b']"), "Known: a, b"),
        (RuntimeError("Dataset scripts are no longer supported, but found x.py"), "never run.*--data files"),
        (ConnectionError("Couldn't reach 'owner/name' on the Hub"), "hf download owner/name --repo-type dataset"),
    ],
)
def test_every_refusal_says_what_to_do(error: Exception, message: str) -> None:
    with pytest.raises(DataError, match=message):
        next(source(BrokenHub(error), config="smal").records("test"))


def test_an_unreachable_hub_is_one_clear_message_with_the_revision_and_the_ways_out() -> None:
    data = source(BrokenHub(ConnectionError("no\nroute"), resolves=False), gating="sign there", revision=COMMIT)
    for act in (lambda: data.fingerprint("test"), lambda: data.count("test"), lambda: next(iter(data.records("test")))):
        with pytest.raises(DataError) as error:
            act()
        message = str(error.value)
        assert f"owner/name (revision {COMMIT})" in message and "no route" in message and "\n" not in message
        assert "sign there" in message and f"--revision {COMMIT}" in message
        assert "--data files" in message and "--data synthetic" in message


def test_a_connection_lost_while_reading_says_how_far_it_came(parquet: Path) -> None:
    class Interrupted:
        column_names, features = ["id"], None

        def __iter__(self) -> Any:
            yield {"id": 1}
            raise ConnectionError("reset by peer")

    class Hub(LocalHub):
        def load(self, *arguments: Any) -> Any:
            return Interrupted()

    records = source(Hub("parquet", parquet)).records("test")
    assert next(records) == {"id": 1}
    with pytest.raises(DataError, match="stopped after 1 records: reset by peer"):
        next(records)


@pytest.fixture(params=["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"])
def downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A cache in which one repository was downloaded before, its newest commit being COMMIT; offline mode is on."""
    from huggingface_hub import constants

    repository = tmp_path / "datasets--owner--name"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "test.jsonl").write_text("".join(json.dumps({"id": place}) + "\n" for place in range(ROWS)))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", request.param == "HF_HUB_OFFLINE")
    monkeypatch.delenv("HF_DATASETS_OFFLINE", raising=False)
    if request.param == "HF_DATASETS_OFFLINE":
        monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    return snapshot


@pytest.mark.parametrize("revision", [None, COMMIT])
def test_offline_mode_reads_the_downloaded_commit(downloaded: Path, revision: str | None) -> None:
    data = source(HuggingFaceHub(), revision=revision)
    assert data.fingerprint("test")["revision"] == COMMIT
    assert [record["id"] for record in data.records("test")] == list(range(ROWS))


def test_offline_mode_never_takes_another_commit(downloaded: Path) -> None:
    other = COMMIT[::-1]
    with pytest.raises(DataError, match=f"revision {other}.*is not downloaded, and offline mode is on"):
        next(source(HuggingFaceHub(), revision=other).records("test"))


def test_online_a_pinned_commit_is_looked_up_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    class Api:
        def dataset_info(self, name: str, revision: str | None, timeout: float) -> Any:
            raise ConnectionError(f"no route to {name} {revision}")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    with pytest.raises(DataError, match=f"cannot be loaded from the hub .no route to owner/name {COMMIT}"):
        next(source(HuggingFaceHub(), revision=COMMIT).records("test"))


def test_offline_mode_names_a_data_set_that_was_never_downloaded(downloaded: Path) -> None:
    with pytest.raises(DataError, match="other/one is not downloaded, and offline mode is on"):
        source(HuggingFaceHub(), id="other/one").fingerprint("test")
