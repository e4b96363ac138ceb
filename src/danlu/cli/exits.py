"""Exit codes, and errors as sentences.

0 done, 1 the study or the machine failed, 2 wrong use, 3 a gate that was asked for is
not met, 4 the budget is used up without a result, 75 busy: try again, 130 and 143
interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import click

from ..errors import (
    DanluError,
    ExecutorError,
    StorageBusy,
    StorageError,
    StudyHalted,
)

DONE, FAILED, USAGE, GATE, NO_RESULT, BUSY = 0, 1, 2, 3, 4, 75
INTERRUPTED = 128 + 2  # as shells say it: 128 and the signal's number


def exit_code(command: Callable[[], Any], *, debug: bool = False) -> int:
    """What `command` ended with; an error becomes a sentence on stderr."""
    try:
        code = command()
        if sys.stdout is not None:  # it may be closed: >&-
            sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else FAILED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        return _told(error, debug)
    return code if isinstance(code, int) else DONE


def code_of(error: Exception) -> int:
    """The exit code of an error.

    >>> code_of(StorageBusy("busy")), code_of(DanluError("no such study"))
    (75, 2)
    """
    if isinstance(error, StorageBusy):
        return BUSY
    if isinstance(error, StorageError | ExecutorError | StudyHalted):
        return FAILED
    return USAGE if isinstance(error, DanluError) else FAILED


def _told(error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    elif isinstance(error, DanluError):
        click.echo(f"error: {error}", err=True)
    elif isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        click.echo(f"error: {error.strerror or error}{where}", err=True)
    else:
        kind = type(error).__name__
        click.echo(
            f"error: this is a bug in danlu or in a plugin: {kind}: {error}\n"
            "The same command with --debug shows where it happened.",
            err=True,
        )
    return code_of(error)
