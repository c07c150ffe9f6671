"""The backend of one checkpoint, loaded when a first example needs it, and the pools that stand for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from evalsuite.backends.base import Backend
from evalsuite.types import Generation, JsonValue, Request


@runtime_checkable
class Pool(Protocol):
    """Several workers with a backend each, which prepare, batch and answer by themselves."""

    def describe(self) -> Mapping[str, JsonValue]: ...
    def answers(self, requests: Iterable[Request]) -> Iterator[list[Generation]]: ...
    def close(self) -> None: ...


class LazyBackend:
    """The backend of one checkpoint, loaded when a first example needs it: a finished run loads no model."""

    def __init__(self, load: Callable[[], Backend | Pool]) -> None:
        self._load = load
        self._error: Exception | None = None
        self.loaded: Backend | Pool | None = None

    def get(self) -> Backend | Pool:
        """Raises what loading raised, every time; it is tried once."""
        if self._error is not None:
            raise self._error
        if self.loaded is None:
            try:
                self.loaded = self._load()
            except Exception as error:
                self._error = error
                raise
        return self.loaded
