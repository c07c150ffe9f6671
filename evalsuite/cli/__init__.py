"""The command line: one thin file per verb. It parses, calls one library function, and prints.

Nothing heavy is imported before a verb runs, so that ``evalsuite --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
import traceback
import warnings
from typing import Any

import click

from evalsuite._version import __version__
from evalsuite.cli.groups import SuggestingGroup
from evalsuite.cli.printing import say
from evalsuite.errors import Caution, EvalsuiteError

VERBS: dict[str, str] = {
    "run": "Run tasks on a model, score them and write the report.",
    "merge": "Put the shards of a run together, score them and write the report.",
    "score": "Score the stored predictions of runs again, without a model.",
    "report": "Print and write the tables of one or more runs.",
    "view": "Browse runs, their examples and answers, on a local page.",
    "results": "Bring in results that were made elsewhere.",
    "study": "Run a grid of runs from one file, and show what of it is done.",
    "compare": "Set runs side by side, with paired intervals and tests.",
    "baseline": "Write the file that later runs are gated against.",
    "gate": "Pass or fail a run against a baseline, for continuous integration.",
    "tasks": "List, show and validate task specs.",
    "data": "Check, pin and preview the data of tasks.",
    "metrics": "List, show and verify metrics.",
    "ratings": "Have the sentences of captions rated, by people or by a judging model.",
    "bench": "Time a backend on this machine, and compare it with float32.",
    "doctor": "Say which backends can run here, what is missing, and which tasks that blocks.",
}


class _LazyGroup(SuggestingGroup):
    """Verbs by name; a verb's module is imported when it is called or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"evalsuite.cli.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="evalsuite")
def cli() -> None:
    """evalsuite: evaluate vision-language models by published protocols, with official metrics.

    \b
    evalsuite run --backend torch --tasks all        the whole suite on synthetic data, offline
    evalsuite run --model CHECKPOINT --data hub --tasks docvqa,family:captioning
    """


def main() -> None:
    """Entry point. Our own errors print as one message; anything else keeps its traceback."""
    _print_cautions()
    try:
        status = cli.main(standalone_mode=False)
    except EvalsuiteError as error:
        say(f"error: {error}", err=True)
        sys.exit(error.exit_status)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OSError as error:  # of what is printed: the reader is gone, or the log's disk is full
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.ENOSPC:
            with contextlib.suppress(OSError):
                say(f"error: {error}: what is stored is safe; make room and give the same command again", err=True)
        sys.exit(1)
    except Exception:
        say(traceback.format_exc().rstrip(), err=True)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _print_cautions() -> None:
    """Our own warnings print as notes; others keep their form."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, Caution):
            say(f"note: {message}", err=True)
        else:
            usual(message, category, *rest, **more)

    warnings.showwarning = show
    warnings.simplefilter("always", Caution)
