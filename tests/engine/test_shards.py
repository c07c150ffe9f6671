"""One run in several processes: shards answer their share, and merged they are what one process would have made."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite import api
from evalsuite.errors import StoreError, UsageError
from evalsuite.runs.folder import STORE
from evalsuite.runs.lock import locked
from evalsuite.runs.manifest import read_manifest
from evalsuite.runs.store import PredictionStore
from evalsuite.settings.limits import ErrorBudget
from evalsuite.settings.run import RunConfig
from evalsuite.settings.shards import Shard

ROWS = [{"id": f"q{n}", "question": f"say {n}", "answer": "say 3" if n % 3 else f"say {n}"} for n in range(11)]


@pytest.fixture
def config(own_task: Callable[..., Path], tmp_path: Path) -> RunConfig:
    """Eleven questions that the echo backend answers, of which two share an id over shards and one has no answer."""
    rows = [*ROWS, {"id": "q2", "question": "again", "answer": "again"}, {"id": "bad", "question": None, "answer": "x"}]
    specs = own_task(rows)
    data = tmp_path / "data"
    allowed = ErrorBudget(number=5)
    return RunConfig(
        "echo", "own", data="files", data_dir=data, specs=(specs,), out=tmp_path / "run", max_errors=allowed
    )


def run_all(config: RunConfig, count: int) -> Path:
    for number in range(count):
        result = api.run_config(dataclasses.replace(config, shard=Shard(number, count)))
        assert result.rows == () and f"evalsuite merge {config.out}" in result.notes[-1]
    assert config.out is not None
    return config.out


def stored(folder: Path) -> list[Any]:
    with PredictionStore(folder / STORE, read_only=True) as store:
        return [dataclasses.replace(item, details={}) for item in store.read("own", "test")]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_merged_shards_are_the_run_of_one_process(config: RunConfig, tmp_path: Path, count: int) -> None:
    alone = dataclasses.replace(config, out=tmp_path / "alone")
    expected = api.run_config(alone)
    merged = api.merge(run_all(config, count), specs=config.specs)
    assert stored(config.folder({})) == stored(alone.folder({}))
    assert [dataclasses.replace(row, run="") for row in merged.rows] == [
        dataclasses.replace(row, run="") for row in expected.rows
    ]
    assert merged.failures.keys() == expected.failures.keys() and merged.report is not None


def test_merging_again_changes_nothing(config: RunConfig) -> None:
    folder = run_all(config, 2)
    api.merge(folder, specs=config.specs)
    before = stored(folder)
    api.merge(folder, specs=config.specs)
    assert stored(folder) == before


def test_a_merged_run_resumes_as_any_other(config: RunConfig) -> None:
    api.merge(run_all(config, 2), specs=config.specs)
    again = api.run_config(config)
    assert again.value("own") is not None and len(stored(config.folder({}))) == len(ROWS) + 2


def test_an_id_that_two_shards_have_counts_against_the_error_budget(config: RunConfig) -> None:
    """q2 stands in both, which neither of them can know."""
    assert config.data_dir is not None
    file = config.data_dir / "own" / "test.jsonl"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if '"bad"' not in line))
    folder = run_all(dataclasses.replace(config, max_errors=ErrorBudget(number=0)), 2)
    for _ in range(2):
        result = api.merge(folder, specs=config.specs)
        assert "1 of 12 examples of split test failed, more than --max-errors 0 allows" in result.failures["own"]
        assert "the id 'q2' occurs twice" in result.failures["own"]
    manifest = read_manifest(folder)
    assert (manifest["tasks"]["own"]["state"], manifest["sessions"][-1]["status"]) == ("failed", "failed")


def test_a_damaged_manifest_of_a_merged_run_is_made_again_from_its_shards(config: RunConfig) -> None:
    folder = run_all(config, 2)
    api.merge(folder, specs=config.specs)
    os.truncate(folder / "manifest.json", 100)
    assert api.merge(folder, specs=config.specs).rows and read_manifest(folder)["results"]


def test_shares_are_even_and_complete() -> None:
    for count in (2, 3, 7):
        shards = [Shard(number, count) for number in range(count)]
        for total in range(20):
            assert sum(shard.of(total) for shard in shards) == total
            assert [shard.of(total) for shard in shards] == [
                sum(shard.holds(position) for position in range(total)) for shard in shards
            ]


def test_a_missing_shard_is_named(config: RunConfig) -> None:
    run_all(config, 3)
    (config.folder({}) / "shard-1-of-3").rename(config.folder({}) / "elsewhere")
    with pytest.raises(StoreError, match="shard 1 of 3 is missing"):
        api.merge(config.folder({}), specs=config.specs)


def test_shards_of_another_run_are_refused(config: RunConfig) -> None:
    api.run_config(dataclasses.replace(config, shard=Shard(0, 2)))
    other = dataclasses.replace(config, shard=Shard(1, 2), attributes={"seed": 1})
    api.run_config(other)
    with pytest.raises(StoreError, match="shard-1-of-2: is not of the same run as shard-0-of-2: attributes differ"):
        api.merge(config.folder({}), specs=config.specs)


def test_a_shard_that_still_runs_is_waited_for_by_hand(config: RunConfig) -> None:
    folder = run_all(config, 2)
    with locked(folder / "shard-1-of-2"), pytest.raises(StoreError, match="shard-1-of-2 still runs"):
        api.merge(folder, specs=config.specs)


def test_two_ways_of_cutting_do_not_mix(config: RunConfig) -> None:
    run_all(config, 2)
    folder = run_all(config, 3)
    with pytest.raises(StoreError, match="runs in 2, 3 parts"):
        api.merge(folder, specs=config.specs)
    with pytest.raises(StoreError, match="holds no shards"):
        api.merge(folder / "shard-0-of-2", specs=config.specs)


def test_a_task_that_failed_in_one_shard_failed(config: RunConfig) -> None:
    """The record without a question is more than the errors that are allowed."""
    folder = run_all(dataclasses.replace(config, max_errors=ErrorBudget(number=0)), 2)
    result = api.merge(folder, specs=config.specs)
    assert not result.ok and "own" in result.failures
    assert read_manifest(folder)["tasks"]["own"]["state"] == "failed"


@pytest.mark.parametrize("text", ["4/4", "1", "a/b", "-1/4", "1/0"])
def test_other_shards_are_no_shards(text: str) -> None:
    with pytest.raises(UsageError, match=r"--shard .*0/4"):
        Shard.parse(text)


def test_launchers_say_which_process_this_is() -> None:
    assert Shard.from_launcher({"RANK": "2", "WORLD_SIZE": "4"}) == Shard(2, 4)
    assert Shard.from_launcher({"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}) == Shard(0, 2)
    assert Shard.from_launcher({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}) is None
    assert Shard.from_launcher({}) is None


def test_srun_and_merge_from_the_command_line(
    evalsuite: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "2")
    command = ("run", "--backend", "echo", "--tasks", "docvqa", "--limit", "5", "--out", "run", "--quiet")
    for number, waiting in (("0", "share 1 was never begun"), ("1", "all shares are there")):
        monkeypatch.setenv("SLURM_PROCID", number)
        done = evalsuite(*command)
        assert done.returncode == 0
        assert f"answers share {number} of 2 alone, because SLURM_PROCID={number} and SLURM_NTASKS=2" in done.stderr
        assert f"evalsuite merge run gives them ({waiting}" in done.stderr or f": {waiting})" in done.stderr
    monkeypatch.delenv("SLURM_NTASKS")
    done = evalsuite("merge", "run", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = [row for row in json.loads(done.stdout) if row["headline"]]
    assert row["n"] == 5 and (tmp_path / "run" / "report" / "index.html").is_file()


def test_each_device_gets_a_process_and_its_share(evalsuite: Callable[..., Any], tmp_path: Path) -> None:
    command = ("run", "--backend", "echo", "--tasks", "docvqa", "--limit", "5", "--out", "run")
    done = evalsuite(*command, "--devices", "cpu,cpu", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["n"] == 5
    assert "[0] " in done.stderr and "[1] " in done.stderr
    manifest = read_manifest(tmp_path / "run" / "shard-1-of-2")
    assert manifest["sessions"][0]["command"][-2:] == ["--shard", "1/2"]


def test_devices_that_cannot_be_are_refused_before_anything_starts(evalsuite: Callable[..., Any]) -> None:
    done = evalsuite("run", "--backend", "echo", "--tasks", "docvqa", "--devices", "gpu0")
    assert done.returncode == 2 and "numbers of GPUs" in done.stderr
    done = evalsuite("run", "--backend", "echo", "--tasks", "docvqa", "--devices", "0,1", "--shard", "0/2")
    assert done.returncode == 2 and "leave --shard out" in done.stderr


def test_nothing_of_this_changes_a_single_process(tmp_path: Path) -> None:
    assert "SLURM_PROCID" not in os.environ
    result = evalsuite.run("docvqa", backend="echo", limit=3, out=tmp_path / "run")
    assert result.ok and len(result.rows) > 0


class TestAProcessThatInheritsALaunchersVariables:
    """A job script without srun, or a child of a training job: nobody else will answer the other shares."""

    COMMAND = ("run", "--backend", "echo", "--tasks", "docvqa", "--limit", "8", "--out", "run", "--quiet")

    @pytest.fixture(autouse=True)
    def launched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RANK", "0")
        monkeypatch.setenv("WORLD_SIZE", "4")

    def test_it_says_which_share_it_takes_and_what_is_due(self, evalsuite: Callable[..., Any]) -> None:
        done = evalsuite(*self.COMMAND, "--json")
        told = json.loads(done.stdout)
        assert (told["shard"], told["merge"]) == ("0/4", "run")
        assert "shares 1, 2 and 3 were never begun" in told["notes"][-1]
        assert "RANK=0 and WORLD_SIZE=4 are set (torchrun)" in done.stderr and "--shard none" in done.stderr
        again = evalsuite(*self.COMMAND)
        assert "shares 1, 2 and 3 were never begun" in again.stderr
        merge = evalsuite("merge", "run")
        assert merge.returncode == 1
        assert "shard 1, 2, 3 of 4 is missing: it was never begun" in merge.stderr and "--shard none" in merge.stderr

    def test_shard_none_takes_the_whole(self, evalsuite: Callable[..., Any]) -> None:
        evalsuite(*self.COMMAND)
        done = evalsuite(*self.COMMAND, "--shard", "none", "--json")
        assert json.loads(done.stdout)[0]["n"] == 8
        assert "run holds shares of this run (1 of 4), which a whole run does not use" in done.stderr

    def test_a_whole_run_of_later_is_told_of_the_shares(
        self, evalsuite: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        evalsuite(*self.COMMAND)
        monkeypatch.delenv("RANK")
        plan = json.loads(evalsuite(*self.COMMAND, "--dry-run", "--json").stdout)
        assert any("evalsuite merge run" in warning for warning in plan["warnings"])


def test_variables_that_fit_no_process_cut_nothing() -> None:
    assert Shard.from_launcher({"RANK": "4", "WORLD_SIZE": "4"}) is None
    assert Shard.from_launcher({"SLURM_NTASKS": "4"}) is None
    assert Shard.parse("none").count == 1
