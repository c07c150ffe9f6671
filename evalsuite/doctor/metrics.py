"""Which metrics lack a package, a program or a file of one; what a run must give to a metric is named, too."""

from __future__ import annotations

from evalsuite.doctor.findings import Finding
from evalsuite.errors import EvalsuiteError, MissingDependency
from evalsuite.metrics import known_metrics, load_metric, metric_class


def metrics() -> list[Finding]:
    """Every metric, by its own ``check``."""
    return [_finding(name) for name in known_metrics()]


def _finding(name: str) -> Finding:
    try:
        metric_class(name)
    except EvalsuiteError as error:  # of a package that cannot be loaded
        return Finding(name, False, (str(error),))
    try:
        load_metric(name).check()
    except MissingDependency as error:
        return Finding(name, False, (f"{error.needs} is missing",), (error.way_out,))
    except EvalsuiteError as error:  # it wants a parameter
        return Finding(name, how=(str(error),))
    return Finding(name)
