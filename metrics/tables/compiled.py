"""Loops compiled to machine code by numba, kept on disk so that the next process need not compile again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` compiled on first use, and kept on disk where there is a writable place for it."""
    try:
        kept: Callable[..., Any] = numba.njit(cache=True)(function)
        return kept
    except RuntimeError:  # numba found no folder that it may write to
        again: Callable[..., Any] = numba.njit(function)
        return again
