"""What a run was asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import UnknownName, UsageError
from evalsuite.settings.limits import ErrorBudget, Limit
from evalsuite.settings.run import RunConfig


def test_a_limit_is_a_number_or_a_share_of_each_split_by_itself() -> None:
    assert Limit.parse("100").of(7) == 100
    assert Limit.parse("10%").of(5000) == 500
    assert Limit.parse("10%").of(1000) == 100
    assert Limit.parse("0.1%").of(3) == 1
    assert Limit.parse("5").of(None) == 5


def test_a_share_of_an_unknown_number_is_no_number() -> None:
    with pytest.raises(ValueError, match="unknown"):
        Limit.parse("10%").of(None)


@pytest.mark.parametrize("text", ["0", "-1", "ten", "0%", "101%", "1e3", ""])
def test_other_limits_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--limit"):
        Limit.parse(text)


def test_an_error_budget_may_be_zero() -> None:
    assert ErrorBudget.parse("0").allowed(10_000) == 0
    assert ErrorBudget.parse("1%").allowed(250) == 2
    assert ErrorBudget.parse("3").allowed(10) == 3


def test_only_a_share_depends_on_the_total() -> None:
    assert ErrorBudget.parse("3").allowed(None) == 3
    assert ErrorBudget.parse("3%").allowed(None) is None


def test_the_folder_name_depends_on_what_changes_answers_only() -> None:
    base = RunConfig(backend="torch")
    assert RunConfig(backend="torch", workers=7, max_errors=ErrorBudget(0)).folder({}) == base.folder({})
    assert RunConfig(backend="torch", attributes={"seed": 1}).folder({}) != base.folder({})
    assert RunConfig(backend="torch", data_scale=4).folder({}) != base.folder({})
    assert RunConfig(backend="torch", out=Path("x")).folder({}) == Path("x")


def test_an_unknown_kind_of_data_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'synthetic'"):
        RunConfig(backend="torch", data="synthetics")


@pytest.mark.parametrize("settings", [{"data_scale": 0}, {"data_scale": 2, "data": "hub"}])
def test_only_the_synthetic_world_can_be_larger(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--data-scale"):
        RunConfig(backend="torch", **settings)


def test_local_files_need_a_folder() -> None:
    with pytest.raises(UsageError, match="--data-dir"):
        RunConfig(backend="torch", data="files")
