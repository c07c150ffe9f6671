"""The only place that prints: text of strangers must not steer the terminal, and secrets must not be shown."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from evalsuite.inspection.visible import printable, unprintable
from evalsuite.redaction import redacted, without_secrets

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str = "", *, err: bool = False) -> None:
    """Print a text, line breaks and tabs kept; other control characters and marks that turn text are written out.

    err: to standard error, where a log on a full disk, or a reader that is gone, must not end a run.
    """
    with contextlib.suppress(*(OSError,) if err else ()):
        click.echo(printable(without_secrets(text)), err=err)


def say_json(value: Any, **settings: Any) -> None:
    """Print a value as JSON that a program can read back unchanged, secrets aside."""
    text = json.dumps(redacted(value), indent=1, ensure_ascii=False, **settings)
    click.echo(unprintable(text, lambda sign: f"\\u{ord(sign):04x}"))


def table_console(**settings: Any) -> Console:
    """Where tables are printed: as wide as the terminal, and cut to no such width where the output is none.

    settings: of the console on a terminal.
    """
    from rich.console import Console

    return Console(**settings) if sys.stdout.isatty() else Console(width=200)
