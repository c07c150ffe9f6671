"""evalsuite: evaluation of vision-language models by published protocols.

>>> import evalsuite
>>> evalsuite.load_task("docvqa").prompt.prefix
'{question}'

The same verbs as on the command line: :func:`run`, :func:`score`, :func:`report`, :func:`load_task`,
:func:`load_tasks`, and for data :func:`check_data`, :func:`lock_data`, :func:`check_lock`, :func:`preview_data`.
Importing this package loads no framework; the verbs do, when called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalsuite._version import __version__
from evalsuite.errors import EvalsuiteError

if TYPE_CHECKING:
    from evalsuite.api import (
        RunResult,
        check_data,
        check_lock,
        load_task,
        load_tasks,
        lock_data,
        preview_data,
        report,
        run,
        score,
    )

__all__ = [
    "EvalsuiteError",
    "RunResult",
    "__version__",
    "check_data",
    "check_lock",
    "load_task",
    "load_tasks",
    "lock_data",
    "preview_data",
    "report",
    "run",
    "score",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        import evalsuite.api

        return getattr(evalsuite.api, name)
    raise AttributeError(f"module 'evalsuite' has no attribute {name!r}")
