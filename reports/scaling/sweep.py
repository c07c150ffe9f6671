"""Learning rates: values normalised within each task and size, and the best rate against size (figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalsuite.reports.answer_shares import is_flawed
from evalsuite.reports.published import load_published
from evalsuite.reports.results_table import is_headline, task_name
from evalsuite.reports.rows import ResultRow
from evalsuite.reports.scaling.grid import size_number
from evalsuite.reports.tables import TASK, Cell, Column, Table


@dataclass(frozen=True, slots=True)
class Sweep:
    """One task and size. values: learning rate -> value on the selection split (mean over seeds).

    flawed: whether answers behind some value were unread, cut, empty or withheld.
    """

    task: str
    size: str
    values: Mapping[float, float]
    higher_is_better: bool = True
    flawed: bool = False

    def normalised(self) -> dict[float, float]:
        """0 for the worst rate and 1 for the best; 1 everywhere when all are equal."""
        low, high = min(self.values.values()), max(self.values.values())
        if low == high:
            return dict.fromkeys(self.values, 1.0)
        shares = {rate: (value - low) / (high - low) for rate, value in self.values.items()}
        return shares if self.higher_is_better else {rate: 1 - share for rate, share in shares.items()}

    def best(self) -> list[float]:
        """The best rate, or the several that are equally good, ascending."""
        shares = self.normalised()
        return sorted(rate for rate, share in shares.items() if share == 1.0)


def published_sweeps() -> list[Sweep]:
    """Table 14 of the PaliGemma 2 paper: single runs at 224 px on validation splits."""
    found: dict[tuple[str, str], dict[float, float]] = {}
    for row in load_published("paligemma2_table14"):
        found.setdefault((row["task"], row["params"]), {})[float(row["learning_rate"])] = float(row["value"])
    return [Sweep(task, size, values) for (task, size), values in found.items()]


def sweeps_of_runs(rows: Sequence[ResultRow], axis: str = "learning_rate") -> list[Sweep]:
    """Headline values of runs whose attributes name the axis; runs that differ in other attributes are averaged."""
    found: dict[tuple[str, str], dict[float, list[float]]] = {}
    directions: dict[str, bool] = {}
    flawed: set[tuple[str, str]] = set()
    for row in rows:
        rate = row.attributes.get(axis)
        if not is_headline(row) or row.value is None or rate in (None, ""):
            continue
        key = (task_name(row), str(row.attributes.get("size", "")))
        directions[key[0]] = row.higher_is_better
        found.setdefault(key, {}).setdefault(float(str(rate)), []).append(row.value)
        if is_flawed(row):
            flawed.add(key)
    return [
        Sweep(*key, {rate: sum(v) / len(v) for rate, v in sorted(values.items())}, directions[key[0]], key in flawed)
        for key, values in found.items()
    ]


def best_rate_counts(sweeps: Sequence[Sweep]) -> dict[tuple[str, float], int]:
    """(size, rate) -> for how many tasks that rate is the best, alone or among equals."""
    counts: dict[tuple[str, float], int] = {}
    for sweep in sweeps:
        for rate in sweep.best():
            counts[sweep.size, rate] = counts.get((sweep.size, rate), 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (size_number(item[0][0]), item[0][1])))


def best_rate_table(sweeps: Sequence[Sweep]) -> Table:
    """The best learning rate of each task, a column per size; several where they are equally good."""
    sizes = sorted({sweep.size for sweep in sweeps}, key=size_number)
    tasks = list(dict.fromkeys(sweep.task for sweep in sweeps))
    by_key = {(sweep.task, sweep.size): sweep for sweep in sweeps}
    lines = []
    for task in tasks:
        cells = [Cell.of_text(task).marked(any(sweep.flawed for sweep in sweeps if sweep.task == task))]
        for size in sizes:
            sweep = by_key.get((task, size))
            rates = sweep.best() if sweep else []
            cells.append(Cell(", ".join(f"{rate:g}" for rate in rates), rates[0] if rates else None))
        lines.append(tuple(cells))
    columns = (TASK, *(Column(size, size or "any size", "number") for size in sizes))
    return Table("Best learning rate", columns, tuple(lines))
