"""Everything that ``evalsuite doctor`` says, as plain data."""

from __future__ import annotations

import dataclasses
from typing import Any

from evalsuite._version import __version__
from evalsuite.doctor.backends import backends
from evalsuite.doctor.machine import machine
from evalsuite.doctor.metrics import metrics
from evalsuite.doctor.packages import Extra, extras
from evalsuite.doctor.tasks import tasks


def examine() -> dict[str, Any]:
    """evalsuite (its version), machine, extras, backends, metrics, tasks.

    The lists hold objects with ``name``, ``can_run``, ``lacks`` and ``how``, see
    :class:`~evalsuite.doctor.findings.Finding`; tasks those of :class:`~evalsuite.doctor.tasks.Blocked`.
    """
    return {
        "evalsuite": __version__,
        "machine": machine(),
        "extras": [_extra(extra) for extra in extras()],
        "backends": [dataclasses.asdict(finding) for finding in backends()],
        "metrics": [dataclasses.asdict(finding) for finding in metrics()],
        "tasks": [dataclasses.asdict(blocked) for blocked in tasks()],
    }


def _extra(extra: Extra) -> dict[str, Any]:
    return {
        "name": extra.name,
        "purpose": extra.purpose,
        "complete": not extra.lacks,
        "lacks": extra.lacks,
        "how": extra.how,
        "packages": [dataclasses.asdict(package) for package in extra.packages],
    }
