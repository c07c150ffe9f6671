"""A group of commands that answers a mistyped name with the nearest one."""

from __future__ import annotations

import click

from evalsuite.errors import UnknownName


class SuggestingGroup(click.Group):
    """Raises UnknownName, with a suggestion, where click would only say that there is no such command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known:
            raise UnknownName("command", args[0], known)
        return super().resolve_command(ctx, args)
