"""The library face of evalsuite: the verbs of the command line as functions. Documented in docs/api.md."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.engine.observer import Observer, Silent
from evalsuite.errors import EvalsuiteError
from evalsuite.inspection.verbs import check_data as check_data
from evalsuite.inspection.verbs import check_lock as check_lock
from evalsuite.inspection.verbs import lock_data as lock_data
from evalsuite.inspection.verbs import preview_data as preview_data
from evalsuite.runs.results import ResultRow
from evalsuite.settings.file import read_config
from evalsuite.settings.giving import ALL, from_values
from evalsuite.settings.giving import run_config as given_config
from evalsuite.settings.listing import Setting
from evalsuite.settings.run import TIME_LIMIT, RunConfig
from evalsuite.specs import TaskRegistry

if TYPE_CHECKING:
    from evalsuite.comparison.baseline import Baseline
    from evalsuite.comparison.gate import Verdict
    from evalsuite.comparison.runs import SplitComparison
    from evalsuite.engine.plan import Plan
    from evalsuite.ratings.judging import Judging
    from evalsuite.reports import ReportFiles
    from evalsuite.specs import TaskSpec


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    rows: results in long form, see :class:`evalsuite.runs.results.ResultRow`.
    failures: task id -> why it was not completed or not scored; empty when everything asked for was done.
    notes: what a user should know that is no failure.
    report: the written report, None when there was nothing to report.
    """

    folder: Path
    rows: Sequence[ResultRow]
    failures: Mapping[str, str]
    notes: Sequence[str] = ()
    report: ReportFiles | None = None

    @property
    def ok(self) -> bool:
        return not self.failures

    @property
    def warnings(self) -> list[str]:
        """Of which values more than 5 % of the answers were unread, cut, empty or withheld, and the way out."""
        from evalsuite.reports.answer_shares import row_warnings

        return row_warnings(self.rows)

    def value(self, task: str, metric: str | None = None, stratum: str = "", split: str | None = None) -> float | None:
        """One value, in paper units: the headline of the task's first split unless told otherwise.

        Raises KeyError when there is no such value.
        """
        for row in self.rows:
            named = row.metric == metric if metric else row.headline
            if row.task == task and row.stratum == stratum and named and split in (None, row.split):
                return row.value
        raise KeyError(f"no value of {task} for metric {metric or 'headline'}, stratum {stratum!r}, split {split}")


def run(
    tasks: str | None = None, *, config: Path | str | None = None, observer: Observer | None = None, **settings: Any
) -> RunResult:
    """Run tasks on a model, score them, write the report: ``evalsuite run``.

    config: a YAML file with settings, as ``--config`` takes it; what is given here goes before the file.

    Calling it again with the same arguments resumes. Raises EvalsuiteError before any inference when something that was
    asked for cannot work; failures of single tasks are in the result. The settings are those of the command line:

    """
    given = from_values({"tasks": tasks, **settings})
    if config is None:
        return run_config(given_config(given), observer)
    file = read_config(Path(config))
    try:
        return run_config(given_config(file.given, given), observer)
    except EvalsuiteError as error:
        raise file.placed(error) from None


def _plain_default(known: Setting) -> Any:
    return known.default if known.default is None else known.kind.plain(known.default)


def _describe(function: Callable[..., Any]) -> None:
    """Give a function that takes any setting its signature and its docstring, from the one list of settings."""
    own = [known for known in inspect.signature(function).parameters.values() if known.kind != known.VAR_KEYWORD]
    taken = {known.name for known in own}
    more = [
        inspect.Parameter(known.name, inspect.Parameter.KEYWORD_ONLY, default=_plain_default(known))
        for known in ALL.values()
        if known.name not in taken
    ]
    function.__signature__ = inspect.Signature([*own, *more], return_annotation="RunResult")  # type: ignore[attr-defined]
    lines = [f"    {known.name}: {known.help}" for known in ALL.values()]
    function.__doc__ = "\n".join([(function.__doc__ or "").rstrip(), "", *lines, ""])


_describe(run)


def run_config(config: RunConfig, observer: Observer | None = None, command: Sequence[str] = ()) -> RunResult:
    """:func:`run` for a config that is already parsed."""
    return run_plan(plan(config), observer, command)


def plan(config: RunConfig) -> Plan:
    """Check a run completely without doing it: ``evalsuite run --dry-run``."""
    from evalsuite.engine.planning import make_plan

    return make_plan(config, TaskRegistry(config.specs))


def run_plan(plan: Plan, observer: Observer | None = None, command: Sequence[str] = ()) -> RunResult:
    """Execute a checked plan, score it and write the report. A shard is only answered: it has no scores of its own."""
    from evalsuite.runs.lock import locked

    with locked(plan.whole_folder if plan.config.devices else plan.folder):
        return _run_plan(plan, observer, command)


def _run_plan(plan: Plan, observer: Observer | None, command: Sequence[str]) -> RunResult:
    from evalsuite.engine.run import execute
    from evalsuite.engine.shares.devices import answer_on_devices
    from evalsuite.engine.shares.state import merge_note
    from evalsuite.scoring.run import score_run

    config = plan.config
    if config.devices:
        answer_on_devices(config, plan.whole_folder, observer or Silent())
        return merge(plan.whole_folder, specs=config.specs, jobs=config.jobs or 1, command=command)
    outcome = execute(plan, observer, command)
    if config.shard is not None:
        note = merge_note(config.shard, plan.whole_folder)
        return RunResult(outcome.folder, (), outcome.failures, [*outcome.notes, note])
    scored = score_run(outcome.folder, _registry(config.specs), jobs=config.jobs or 1, time_limit=config.time_limit)
    for note in scored.notes:
        if observer is not None:
            observer.note(note)
    asked = {task.spec.id for task in plan.tasks}  # the folder may hold tasks of earlier commands
    unscored = {task: message for task, message in scored.failures.items() if task in asked}
    return RunResult(
        outcome.folder,
        scored.rows,
        {**unscored, **outcome.failures},
        [*outcome.notes, *scored.notes],
        report(outcome.folder) if scored.rows else None,
    )


def score(
    folder: Path | str,
    *,
    specs: Sequence[Path | str] = (),
    resamples: int = 1000,
    metric_options: Mapping[str, Mapping[str, str]] | None = None,
    protocol: str | None = None,
    jobs: int = 1,
    time_limit: float = TIME_LIMIT,
) -> RunResult:
    """Score the stored predictions of a run again, without model or data: ``evalsuite score``.

    What is stored of an unfinished task is scored too; ``notes`` say so, and its rows are marked ``partial``.
    metric_options: metric -> parameter -> value beside the specs; None for those of the run. protocol: whose rule gives
    the headline, ``paligemma`` or ``official``; None for that of the run. jobs: processes for heavy
    metrics; more than one needs the ``if __name__ == "__main__":`` guard in a script. time_limit: seconds that one
    example may take in such a process.
    """
    from evalsuite.scoring.run import score_run

    registry = _registry(specs)
    scored = score_run(
        Path(folder),
        registry,
        resamples=resamples,
        metric_options=metric_options,
        protocol=protocol,
        jobs=jobs,
        time_limit=time_limit,
    )
    notes = [f"{task} is not complete: {reason}" for task, reason in scored.incomplete.items()]
    return RunResult(scored.folder, scored.rows, scored.failures, [*notes, *scored.notes])


def merge(
    folder: Path | str, *, specs: Sequence[Path | str] = (), jobs: int = 1, command: Sequence[str] = ()
) -> RunResult:
    """Put the shards of a run together, score it and write the report: ``evalsuite merge``.

    Raises StoreError when a shard is missing, still runs, or belongs to another run.
    """
    from evalsuite.engine.shares.merging import merge_shards, shard_folders
    from evalsuite.runs.lock import locked
    from evalsuite.runs.manifest import read_manifest

    shard_folders(Path(folder))  # before it is locked: a folder without shards is left as it is
    with locked(Path(folder), "merge"):
        merge_shards(Path(folder), command)
        result = score(folder, specs=specs, jobs=jobs)
        session = read_manifest(Path(folder))["sessions"][-1]
        failures = {**result.failures, **session.get("failures", {})}
        written = report(folder) if result.rows else None
    return RunResult(result.folder, result.rows, failures, result.notes, written)


def report(*folders: Path | str, out: Path | str | None = None) -> ReportFiles:
    """Write Markdown, CSV and HTML tables of runs, or of a study's folder: ``evalsuite report``.

    Results that were damaged since they were written are made again first, which a warning says.
    """
    from evalsuite.reports import write_report
    from evalsuite.reports.rows import run_folders
    from evalsuite.scoring.mending import mend_results

    runs = [Path(folder) for folder in folders]
    for run in run_folders(runs):
        mend_results(run)
    return write_report(runs, Path(out) if out is not None else None)


def import_results(
    file: Path | str,
    out: Path | str = "runs",
    *,
    names: Mapping[str, str] | None = None,
    attributes: Mapping[str, Any] | None = None,
    source: str = "",
    specs: Sequence[Path | str] = (),
) -> list[Path]:
    """Write run folders with values made elsewhere: ``evalsuite results import``."""
    from evalsuite.runs import importing

    return importing.import_results(
        Path(file), _registry(specs), Path(out), names=names, attributes=attributes, source=source
    )


def compare(
    *folders: Path | str, specs: Sequence[Path | str] = (), anyway: bool = False, resamples: int = 1000, jobs: int = 1
) -> list[SplitComparison]:
    """Later runs against the first, on the examples they share: ``evalsuite compare``."""
    from evalsuite.comparison.runs import compare_runs

    runs = [Path(folder) for folder in folders]
    return compare_runs(runs, _registry(specs), anyway=anyway, resamples=resamples, jobs=jobs)


def write_baseline(
    folder: Path | str, out: Path | str, *, specs: Sequence[Path | str] = (), answers: bool = True, jobs: int = 1
) -> Baseline:
    """Write what a run answered, to gate later runs against: ``evalsuite baseline``."""
    from evalsuite.comparison import baseline

    return baseline.write_baseline(Path(folder), Path(out), _registry(specs), answers=answers, jobs=jobs)


def gate(
    folder: Path | str,
    baseline: Path | str,
    *,
    specs: Sequence[Path | str] = (),
    allow: Sequence[str] = (),
    resamples: int = 1000,
    jobs: int = 1,
) -> list[Verdict]:
    """A verdict for each split of a baseline: ``evalsuite gate``. :func:`evalsuite.comparison.gate.overall` sums up."""
    from evalsuite.comparison.baseline import read_baseline
    from evalsuite.comparison.gate import judge

    held = read_baseline(Path(baseline))
    return judge(Path(folder), held, _registry(specs), allow=allow, resamples=resamples, jobs=jobs)


def export_ratings(
    folder: Path | str, out: Path | str, *, task: str | None = None, split: str | None = None, raters: int = 5
) -> tuple[int, int]:
    """Write an empty rating sheet for a run's answers: ``evalsuite ratings export``.

    Returns the number of sentences, and of answers without one.
    """
    from evalsuite.ratings.judging import export_sheet

    return export_sheet(Path(folder), Path(out), task=task, split=split, raters=raters)


def judge_ratings(
    folder: Path | str,
    sheet: Path | str,
    out: Path | str,
    *,
    backend: str = "server",
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
    max_new_tokens: int = 16,
    task: str | None = None,
    split: str | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> Judging:
    """Have a model rate the sentences of an exported sheet: ``evalsuite ratings judge``. The same call resumes."""
    from evalsuite.ratings.judging import judge_sheet

    return judge_sheet(
        Path(folder),
        Path(sheet),
        Path(out),
        backend=backend,
        model=model,
        options={name: str(value) for name, value in (options or {}).items()},
        max_new_tokens=max_new_tokens,
        task=task,
        split=split,
        observe=observe,
    )


def check_ratings(ratings: Path | str) -> dict[str, Any]:
    """How complete filled-in rating sheets are, and how their raters agree: ``evalsuite ratings check``."""
    from evalsuite.ratings.judging import summarize_ratings

    return summarize_ratings(Path(ratings))


def load_task(task: str, *, specs: Sequence[Path | str] = ()) -> TaskSpec:
    """The spec of one task. Raises UnknownName, with the nearest id."""
    return _registry(specs).get(task)


def load_tasks(selection: str = "all", *, specs: Sequence[Path | str] = ()) -> list[TaskSpec]:
    """Specs by selection, such as ``"vqav2,family:captioning"``."""
    return _registry(specs).select(selection)


def _registry(specs: Sequence[Path | str]) -> TaskRegistry:
    return TaskRegistry(tuple(Path(folder) for folder in specs))
