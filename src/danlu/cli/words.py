"""How studies, trials and numbers are said in one line, and how tables are set."""

from __future__ import annotations

import json
import shlex
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import click

from ..jsontext import to_json
from ..sentence import plural
from ..trial import Kind, State, Trial

if TYPE_CHECKING:
    from ..history import History
    from ..study import Study


def say(message: str) -> None:
    """Writes a message to stderr, where everything goes that is not the result."""
    click.echo(message, err=True)


def show_json(name: str, document: Mapping[str, Any]) -> None:
    """Writes a result as one JSON document, marked with its schema.

    Numbers that are not finite become the texts `nan`, `inf` and `-inf`.
    """
    said = to_json({"schema": f"danlu/{name}@1", **document})
    click.echo(json.dumps(said, ensure_ascii=False, indent=1, allow_nan=False))


def quoted(name: str) -> str:
    """A name as one would type it in a shell."""
    return shlex.quote(name)


def number(value: float | None) -> str:
    """A number with four significant digits, `-` where there is none.

    >>> number(0.031249), number(12), number(None)
    ('0.03125', '12', '-')
    """
    return "-" if value is None else f"{value:.4g}"


def size(size_bytes: int) -> str:
    """Bytes as one says them.

    >>> size(512), size(1_530_000), size(20_400_000_000)
    ('512 B', '1.5 MB', '20.4 GB')
    """
    if size_bytes < 1000:
        return f"{size_bytes} B"
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def params_text(params: Mapping[str, Any], without: Iterable[str] = ()) -> str:
    """Params in one line.

    >>> params_text({"lr": 0.00123456, "opt": "sgd"})
    'lr=0.001235 opt=sgd'
    """
    hidden = set(without)
    shown = (
        f"{name}={number(value) if isinstance(value, float) else value}"
        for name, value in params.items()
        if name not in hidden
    )
    return " ".join(shown)


def counts_text(trials: Sequence[Trial]) -> str:
    """How many search trials are in which state, and how many others there are.

    For instance `7 completed, 2 running, besides 1 baseline`.
    """
    counts = Counter(own.state for own in trials if own.kind is Kind.SEARCH)
    others = Counter(own.kind for own in trials if own.kind is not Kind.SEARCH)
    shown = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    beside = " and ".join(f"{count} {kind}" for kind, count in others.items())
    said = ", ".join(shown) or "no trial yet"
    return f"{said}, besides {beside}" if beside else said


def best_text(study: Study, history: History) -> str:
    """The best trial so far in one line, or that there is none."""
    best = history.best
    if best is None:
        return "none yet"
    value = number(study.objective.value(history.loss(best) or 0.0))
    shown = params_text(best.params, without=study.fixed)
    return f"#{best.number}  {study.objective.name} {value}  ({shown})"


def progress_counts(study: Study, history: History) -> tuple[int, int]:
    """How many search trials have ended, and how many there are to be."""
    from ..analysis.design.finite import most_trials

    search = [trial for trial in history.trials if trial.kind is Kind.SEARCH]
    ended = sum(trial.state.ended for trial in search)
    most = max(most_trials(study), len(search))  # to a list more may be added by hand
    return ended, min(most, study.trials)


def short_list_text(study: Study) -> str:
    """Why a study ends before it has all its trials; empty where it does not."""
    from ..analysis.design.finite import most_trials

    most = most_trials(study)
    if most == study.trials:
        return ""
    return (
        f"the sampler has {plural(most, 'point')} and no more: the study ends after "
        f"them, not after {study.trials} trials"
    )


def study_state(
    study: Study, history: History, lost: Collection[int] = frozenset()
) -> str:
    """`done`, `running`, `waiting` or `new`: where a study is.

    Trials whose number is in `lost` do not run, whatever the records say.
    """
    ended, total = progress_counts(study, history)
    running = [t.number for t in history.trials if t.state is State.RUNNING]
    if any(number not in lost for number in running):
        return "running"
    open_trials = any(not trial.state.ended for trial in history.trials)
    if ended >= total and not open_trials:
        return "done"
    return "waiting" if history.trials else "new"


def trial_json(study: Study, history: History, trial: Trial) -> dict[str, Any]:
    """A trial as the reading commands give it out, without its curves."""
    loss = history.loss(trial)
    value = None if loss is None else study.objective.value(loss)
    return {
        "number": trial.number,
        "kind": trial.kind.value,
        "state": trial.state.value,
        "step": trial.step,
        "budget": trial.budget,
        "value": value,
        "params": dict(trial.params),
        "seed": trial.seed,
        "attempt": trial.attempt,
        "parent": trial.parent,
        "first_step": trial.first_step,
        "reason": trial.reason,
        "started_s": trial.started_s,
        "ended_s": trial.ended_s,
        "idle_s": trial.idle_s,
        "host": trial.host,
    }


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under headers in columns; the last column is cut at the screen's edge."""
    lines = [headers, *rows]
    widths = [max(map(columns, cells)) for cells in zip(*lines, strict=True)]
    room = screen_width()
    set_lines = (
        "  ".join(
            cell + " " * (width - columns(cell))
            for cell, width in zip(line, widths, strict=True)
        )
        for line in lines
    )
    return "\n".join(cut(line.rstrip(), room) for line in set_lines)


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese characters take two.

    >>> columns("lr"), columns("丹炉")
    (2, 4)
    """
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def cut(line: str, room: int) -> str:
    """A line that fits into `room` columns, with an ellipsis where it was cut.

    >>> cut("abcdef", 4)
    'abc…'
    """
    if columns(line) <= room:
        return line
    while columns(line) > room - 1:
        line = line[:-1]
    return f"{line}…"


def screen_width() -> int:
    """The columns of the terminal; plenty where there is none, so nothing is cut."""
    return shutil.get_terminal_size((10_000, 24)).columns


STATES = (
    State.RUNNING,
    State.PAUSED,
    State.COMPLETED,
    State.STOPPED,
    State.INFEASIBLE,
    State.FAILED,
)
