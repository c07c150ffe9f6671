"""Where examples come from: hub data sets, local files, the synthetic world.

How pixels are opened is in ``media``; whether data fit their spec is looked at in ``inspection``.

data = open_task_data(spec, "files", data_dir=Path("data"))
data.check()
for example in data.examples("val"): ...
"""

from __future__ import annotations

from evalsuite.data.mapping import BadExample
from evalsuite.data.task_data import KINDS, TaskData, has_kind, open_task_data

__all__ = ["KINDS", "BadExample", "TaskData", "has_kind", "open_task_data"]
