"""What a list of settings is made of: dataclass fields that say how they are given, and what depends on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from evalsuite.errors import UnknownName
from evalsuite.settings.kinds import Kind


class Role(Enum):
    """What a setting decides, and so where it is written down.

    ANSWERS: what the model is asked, or which model is: it names the run. SCORES: what the answers are worth; it stands
    in the manifest, and a run goes on under another one. WORK: how the work is done, which changes neither.
    """

    ANSWERS = "answers"
    SCORES = "scores"
    WORK = "work"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a run.

    name: of the field, the Python parameter, and (or ``option``) the key in a file. option: without dashes in front.
    shown_default: what help prints where the default is no value. choices: what it may be. if_given: it names a run
    only when it is not the default.
    """

    name: str
    kind: Kind
    help: str
    role: Role
    option: str
    default: Any
    metavar: str | None = None
    shown_default: str | None = None
    choices: Sequence[str] = ()
    what: str = ""
    if_given: bool = False

    @property
    def flag(self) -> str:
        return f"--{self.option}"

    def checked(self, value: Any) -> Any:
        """The value, when it is one of those that there are. Raises UnknownName."""
        if self.choices and value not in self.choices:
            raise UnknownName(self.what, str(value), self.choices, self.flag)
        return value

    @property
    def key(self) -> str:
        """The name in a file."""
        return self.option.replace("-", "_")


def setting(kind: Kind, role: Role, default: Any, help: str, **more: Any) -> Any:
    """A dataclass field that is a setting; ``more`` are further fields of :class:`Setting`."""
    metadata = {"setting": {"kind": kind, "role": role, "default": default, "help": help, **more}}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def settings_of(listing: type) -> dict[str, Setting]:
    """The settings of a dataclass by name, in its order."""
    return {
        field.name: Setting(
            name=field.name, **{"option": field.name.replace("_", "-"), **dict(field.metadata["setting"])}
        )
        for field in dataclasses.fields(listing)
    }
