"""``evalsuite view``."""

from __future__ import annotations

from pathlib import Path

import click

from evalsuite.cli.printing import say


@click.command("view")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--port", default=0, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
def command(runs: tuple[Path, ...], port: int, specs: tuple[Path, ...], no_browser: bool) -> int:
    """Browse RUNS (run folders, or a study: its folder or its YAML file) on a local page: tables, figures, and every
    example with its answers.

    With several runs their answers stand side by side, and examples that changed between two can be shown alone. The
    page is served on 127.0.0.1 only and loads nothing from elsewhere. Ctrl-C ends it.
    """
    from evalsuite.specs import TaskRegistry
    from evalsuite.viewer.browsing import Browser
    from evalsuite.viewer.server import ViewerServer
    from evalsuite.viewer.study import viewed_runs

    folders, studies = viewed_runs(runs)
    server = ViewerServer(Browser.open(folders, TaskRegistry(specs)), port, studies)
    say(f"{server.url} (Ctrl-C ends it)")
    if not no_browser:
        import webbrowser

        webbrowser.open(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0
