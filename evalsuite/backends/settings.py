"""The settings of a backend, given as text on the command line, read strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalsuite.errors import UnknownName, UsageError, did_you_mean

YES = ("true", "yes", "on", "1")
NO = ("false", "no", "off", "0")


class Settings:
    """Reads each setting once by name; ``finish`` refuses what nobody asked for.

    >>> settings = Settings("torch", {"device": "cpu", "threads": "2"})
    >>> settings.text("device", "auto"), settings.integer("threads", None), settings.flag("verbose", False)
    ('cpu', 2, False)
    >>> settings.finish()
    """

    def __init__(self, name: str, values: Mapping[str, str], kind: str = "backend") -> None:
        self._name, self._kind, self._values = name, kind, dict(values)
        self._known: list[str] = []

    def text(self, name: str, default: str) -> str:
        value = self._take(name)
        return default if value is None else value

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        value = self._take(name)
        if value is None:
            return default
        if value not in allowed:
            raise self._wrong(name, value, did_you_mean(value, allowed))
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name)
        if value is None:
            return default
        if value.lower() not in (*YES, *NO):
            raise self._wrong(name, value, "Give true or false.")
        return value.lower() in YES

    def integer(self, name: str, default: int | None, minimum: int = 1) -> int | None:
        value = self._take(name)
        if value is None:
            return default
        try:
            number = int(value)
        except ValueError:
            raise self._wrong(name, value, "Give a whole number.") from None
        if number < minimum:
            raise self._wrong(name, value, f"The least is {minimum}.")
        return number

    def finish(self) -> None:
        """Raises UnknownName for a setting that was given but never read."""
        for name in self._values:
            error = UnknownName(f"option of {self._kind} {self._name}:", name, self._known)
            raise error.about(self._place(name))

    def _take(self, name: str) -> str | None:
        self._known.append(name)
        return self._values.pop(name, None)

    def _wrong(self, name: str, value: str, way_out: str) -> UsageError:
        message = f"{self._kind} {self._name!r}: option {name}={value!r} is not valid. {way_out}"
        return UsageError(message).about(self._place(name))

    def _place(self, name: str) -> str:
        """What a file of a run's settings calls this one."""
        return f"{'option' if self._kind == 'backend' else f'{self._kind}_option'}.{name}"
