"""A task spec as a whole: its parts, and that they fit together."""

from __future__ import annotations

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from evalsuite.files.places import dotted
from evalsuite.specs.checks import inconsistencies
from evalsuite.specs.parts import TaskFields


class TaskSpec(TaskFields):
    """One benchmark. Adding one whose metric exists is one YAML file and no Python."""

    @model_validator(mode="after")
    def _consistent(self) -> TaskSpec:
        problems = inconsistencies(self)
        if problems:
            shown = "; ".join(f"{dotted(place)}: {message}" for place, message in problems)
            raise PydanticCustomError("inconsistent", "{shown}", {"shown": shown, "problems": problems})
        return self
