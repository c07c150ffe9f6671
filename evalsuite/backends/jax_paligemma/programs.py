"""The compiled programs of one model: one per shape of a batch, counted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import jax
import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.jax_paligemma.architecture import Architecture
from evalsuite.backends.jax_paligemma.batches import HostBatch
from evalsuite.backends.jax_paligemma.decoding import Answer, Inputs, Rule, Search, answers, enlarge, extend, start
from evalsuite.backends.jax_paligemma.devices import Placement
from evalsuite.backends.jax_paligemma.model import Weights

FIRST_ROOM, ROOM_STEP = 32, 4  # answers get room for 32 tokens, then 128, 512, ... while any row needs it


class Programs:
    """Decodes padded batches. ``compiled`` counts programs built so far, those taken from the cache on disk included.

    The answer budget is no part of a shape: room for the answer grows in steps while rows still run, and the memory
    of a step is handed over (donated) to the next.
    """

    def __init__(self, sizes: Architecture, weights: Weights, where: Placement) -> None:
        self._weights, self._where = weights, where
        self.compiled = 0
        rows: Any = where.by_row  # every axis of batch rows is spread over the devices
        search = Search(cast(Any, where.everywhere), rows, rows, rows, rows, rows, rows)

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def traced(*arguments: Any) -> Any:  # runs once per program, while jax records it
                self.compiled += 1
                return function(*arguments)

            return traced

        self._start = jax.jit(
            counted(lambda rule, *arrays: start(sizes, rule, FIRST_ROOM, *arrays)),
            static_argnums=0,
            out_shardings=(rows, search),
        )
        self._extend = jax.jit(
            counted(lambda rule, *arrays: extend(sizes, rule, *arrays)),
            static_argnums=0,
            donate_argnums=3,
            out_shardings=search,
        )
        self._enlarge = jax.jit(counted(enlarge), static_argnums=1, out_shardings=search)

    def decode(self, batch: HostBatch, rule: Rule, budget: int, forbidden: NDArray[np.bool_]) -> list[Answer]:
        """One answer per row.

        budget: most new tokens, end-of-sequence included. forbidden: (vocabulary,), ids that are never chosen.
        """
        inputs = Inputs(*jax.device_put(tuple(batch), self._where.by_row))
        banned = jax.device_put(forbidden, self._where.everywhere)
        with self._precision():
            prefix, search = self._start(rule, self._weights, inputs, banned)
            capacity = FIRST_ROOM
            while True:
                search = self._extend(rule, self._weights, prefix, search, np.int32(min(budget, capacity)), banned)
                if capacity >= budget or not np.asarray(search.active).any():
                    return answers(search, rule.end)
                capacity *= ROOM_STEP
                search = self._enlarge(search, capacity)

    def _precision(self) -> AbstractContextManager[Any]:
        """float32 is float32: accelerators would multiply in fewer bits."""
        return jax.default_matmul_precision("highest") if self._where.dtype == "float32" else nullcontext()
