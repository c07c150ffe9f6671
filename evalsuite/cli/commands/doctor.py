"""``evalsuite doctor``."""

from __future__ import annotations

import click

from evalsuite.cli.printing import say, say_json


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def command(as_json: bool) -> int:
    """Say what is installed, what is missing, and which tasks and backends that blocks."""
    from evalsuite.cli.show import print_columns
    from evalsuite.doctor.machine import examine

    found = examine()
    if as_json:
        say_json(found)
        return 0
    machine = found["machine"]
    say(f"evalsuite {found['evalsuite']}, Python {machine['python']}, {machine['platform']}")
    say(f"{machine['cores']} cores, {machine['memory_gb']} GB memory, accelerator: {machine['accelerator']}\n")
    rows = [
        [item["name"], item["extra"] or "-", item["installed"] or "missing", item["blocks"]]
        for item in found["packages"]
    ]
    print_columns(["package", "extra", "version", "needed for"], rows)
    if found["blocked"]:
        say("")
        for line in found["blocked"]:
            say(f"blocked: {line}")
    else:
        say("\nnothing is blocked")
    return 0
