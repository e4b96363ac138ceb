"""The same verbs in a shell: `danlu COMMAND`.

Every command is a module of its own (or shares one), imported when it is used, so that
`danlu --help` and `danlu status` are quick. Results go to stdout, all else to stderr.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from .exits import exit_code

_THRESHOLD = 50_000  # new objects before a collection; imports alone make 100,000

# name: (module, what it does), in the order in which one meets them
COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo", "Tune a small network on real digits, and show the result."),
    "init": ("init", "Write a commented study.yaml to start from."),
    "check": ("check", "Validate a study and try its program for a few steps."),
    "preflight": ("preflight", "Check a training program, and plan its first study."),
    "run": ("run", "Run a study's trials, or go on with them."),
    "tune": ("tune", "Explore, adapt, exploit, confirm, decide: within a budget."),
    "resume": ("resume", "Go on with a study by its name alone."),
    "status": ("status", "What runs, how far it is, and the best so far."),
    "report": ("report", "What a study found, here or as an HTML page."),
    "replay": ("replay", "What another scheduler would have done on a study."),
    "analyze": ("analyze", "What was learned from a study, and what is wrong."),
    "confirm": ("confirm", "Run the best and the baseline on fresh seeds."),
    "decide": ("decide", "Adopt, reject, or ask for more seeds; it is kept."),
    "baseline": ("decide", "What is adopted; take the last adoption back."),
    "log": ("log", "Every study: its question, conclusion, and what is next."),
    "next": ("next", "Which studies are worth running now; run one of them."),
    "extend": ("extend", "Plan few long trainings after many short ones."),
    "note": ("note", "Keep a remark on a study, or read the remarks."),
    "trial": ("trial", "Look at one trial: show, logs, rerun, stop."),
    "ls": ("ls", "List the studies of this project."),
    "export": ("export", "A study's trials as csv, json or parquet."),
    "clean": ("clean", "Remove checkpoints of ended trials."),
    "ask": ("steps", "Take one trial, to run it yourself."),
    "report-metric": ("steps", "Report metrics of a trial that you run yourself."),
    "tell": ("steps", "Say how a trial that you ran yourself has ended."),
    "doctor": ("doctor", "Check that this machine has what danlu needs."),
    "completion": ("completion", "The script that completes commands in your shell."),
}


class Commands(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f".{COMMANDS[cmd_name][0]}", __name__)
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; a wrong name gets a suggestion."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from ..errors import did_you_mean

            hint = did_you_mean(args[0], COMMANDS)
            raise click.UsageError(f"no command {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Writes the table of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "DANLU",
        "max_content_width": 100,
    },
    epilog="--debug, anywhere, shows where an error comes from.",
)
@click.version_option(package_name="danlu", message="danlu %(version)s")
def danlu() -> None:
    """Plan tuning studies, run their trials, read the results.

    Start with `danlu init`, then `danlu check` and `danlu run`.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits with its code; a traceback only with --debug."""
    gc.set_threshold(_THRESHOLD, 20, 20)
    words = list(sys.argv[1:] if arguments is None else arguments)
    own, rest = _split(words)
    debug = "--debug" in own
    own = [word for word in own if word != "--debug"]
    sys.exit(exit_code(lambda: _invoke([*own, *rest]), debug=debug))


def _invoke(words: list[str]) -> Any:
    return danlu.main(words, prog_name="danlu", standalone_mode=False)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Our own words, and those from `--` on, which belong to the program."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at:]
