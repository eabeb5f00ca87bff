"""A group of commands that tells the nearest name where somebody mistypes one."""

from __future__ import annotations

import click

from omnidetective.nearest import nearest


class SuggestingGroup(click.Group):
    """Knows its commands by :meth:`list_commands`, which need not import them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = nearest(args[0], self.list_commands(ctx))
            if close is None or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close!r}?", ctx) from None
