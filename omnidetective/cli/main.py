"""The command line: a group that loads a command's module only when that command is run or asked for its help."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import click

from omnidetective.cli.interrupts import INTERRUPTED, ask_again, be_deaf, ignore_at_last, is_interrupt, settle
from omnidetective.cli.suggesting import SuggestingGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("omnidetective.cli.run", "Caption every clip of an input file."),
    "caption": ("omnidetective.cli.caption", "Caption one clip and print the caption."),
    "estimate": ("omnidetective.cli.estimate", "Say what a run will cost: foreseen, or measured on a few clips."),
    "stats": ("omnidetective.cli.stats", "Show quality, outcomes, tokens and cost of an output."),
    "status": ("omnidetective.cli.status", "Say how far a run is: records, failures, what is left, cost."),
    "failures": ("omnidetective.cli.failures", "List the clips without a record, and why."),
    "eval": ("omnidetective.cli.eval", "Score captions by published benchmarks."),
    "reward": ("omnidetective.cli.reward", "Grade captions by the rewards of AVoCaDO, as trainers use them."),
    "merge": ("omnidetective.cli.merge", "Join the outputs of several runs into one, and prove it whole."),
    "observers": ("omnidetective.cli.observers", "List observers, look at one, ask one about a clip, write your own."),
    "prompts": ("omnidetective.cli.prompts", "List prompts, show one, render it, compare with your own."),
    "domains": ("omnidetective.cli.domains", "List the domains of pictures, and show who looks at one."),
    "config": ("omnidetective.cli.config", "Show the configuration and where each value comes from."),
    "cache": ("omnidetective.cli.cache", "Look at the kept answers of models, and clear old ones away."),
    "weights": ("omnidetective.cli.weights", "List, fetch and check the models of the embedded cast."),
    "doctor": ("omnidetective.cli.doctor", "Say what works here, and what to do about the rest."),
}
"""Command → module that defines it under the same name, and the line that ``--help`` shows."""


class LazyGroup(SuggestingGroup):
    """Knows its commands by name and help line; their modules are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `omnidetective doctor`, then `omnidetective caption CLIP`.",
)
@click.version_option(package_name="omnidetective", prog_name="omnidetective")
def cli() -> None:
    """Write captions of video, audio and images that are detailed and true.

    A detective questions independent observers about each clip (models that see and hear, instruments that measure)
    and writes down what their evidence supports, one JSON line a clip. Without any key the embedded cast works alone.
    """


def main() -> None:
    """Entry point: errors that the user can mend are one line, and exit with 2; Ctrl-C is a word and exits with 130."""
    hook, sys.unraisablehook = sys.unraisablehook, ask_again
    try:
        try:
            ignore_at_last()
            status = _status()
            settle(status)
        except Exception as error:
            if not is_interrupt(error):
                raise
            raise KeyboardInterrupt from error
    except KeyboardInterrupt:
        try:
            be_deaf()
        except KeyboardInterrupt:  # Pressed again in this very moment.
            be_deaf()
        click.echo("interrupted", err=True)
        status = INTERRUPTED
        settle(status)
    finally:
        sys.unraisablehook = hook
    sys.exit(status)


def _status() -> int:
    """Do the command of the command line, and tell what the user can mend; the exit status."""
    from omnidetective.errors import BudgetReachedError, OmnidetectiveError, UserError

    try:
        cli(standalone_mode=False)
    except SystemExit as done:
        if isinstance(done.code, str):
            raise
        return done.code or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        # The reader (head, less) has gone; there is nobody to tell.
        sys.stderr.close()
        return 1
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except OmnidetectiveError as error:
        click.echo(f"error: {error}", err=True)
        return 3 if isinstance(error, BudgetReachedError) else 1
    return 0


if __name__ == "__main__":
    main()
