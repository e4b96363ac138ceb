"""The log of a project: each study in one row, with what it asked and concluded.

Every experiment answers three questions (rule D12): why it was run, what was concluded,
and what comes next.
"""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .analysis.repeats import trial_noise
from .carry import sources
from .decide.decision import Decision, Ruling
from .domain import Domain
from .errors import SpaceError
from .history import History
from .sentence import plural
from .study import Study
from .studyfile import Program, domain_text, read_value, study_text, value_text
from .studyfile import domain as read_domain
from .trial import Kind

COLUMNS = (
    "study",
    "began",
    "question",
    "conclusion",
    "next",
    "trials",
    "best",
    "command",
    "notes",
)


@dataclass(frozen=True)
class Entry:
    """One study of the log.

    `began_s` is when its first trial began, in seconds since 1970. `best` is the value
    of the study's metric in its best search trial, or the mean over fresh seeds of what
    was confirmed; `noise` the standard deviation between seeds, None where nothing was
    run twice. `command` runs the same study anew in an empty folder.

    >>> entry = Entry("digits", None, "Which lr?", "", "", 3, 20, "err", 0.25, 0.01, "")
    >>> entry.best_text
    'err 0.25 (sd 0.01)'
    """

    study: str
    began_s: float | None
    question: str
    conclusion: str
    next: str
    ended: int
    trials: int
    metric: str
    best: float | None
    noise: float | None
    command: str
    notes: tuple[str, ...] = ()

    @property
    def best_text(self) -> str:
        """The best value, with how much it varies between seeds."""
        if self.best is None:
            return "none yet"
        noise = "" if self.noise is None else f" (sd {self.noise:.2g})"
        return f"{self.metric} {self.best:.4g}{noise}"

    @property
    def cells(self) -> tuple[str, ...]:
        """The entry under `COLUMNS`, as text."""
        began = ""
        if self.began_s is not None:
            began = f"{datetime.fromtimestamp(self.began_s, UTC):%Y-%m-%d %H:%M}"
        return (
            self.study,
            began,
            self.question,
            self.conclusion or "not decided yet",
            self.next or "-",
            f"{self.ended}/{self.trials}",
            self.best_text,
            self.command,
            " / ".join(self.notes),
        )


def entry(
    study: Study,
    history: History,
    *,
    decisions: Sequence[Decision] = (),
    program: Program | None = None,
    notes: Sequence[str] = (),
) -> Entry:
    """One study's row of the log; `decisions` are those about it, oldest first."""
    searched = [trial for trial in history.trials if trial.kind is Kind.SEARCH]
    last = decisions[-1] if decisions else None
    best, noise = _best(study, history, decisions)
    starts = [own.started_s for own in history.trials if own.started_s is not None]
    return Entry(
        study=study.name,
        began_s=min(starts, default=None),
        question=study.goal,
        conclusion="" if last is None else conclusion(last),
        next="" if last is None else _next(last),
        ended=sum(trial.state.ended for trial in searched),
        trials=study.trials,
        metric=study.objective.name,
        best=best,
        noise=noise,
        command=command(study, program),
        notes=(*_carried(history), *notes),
    )


def conclusion(decision: Decision) -> str:
    """What a decision says, in one sentence.

    >>> conclusion(Decision("s", Ruling.REJECT, "no better", by_hand=True, why="Slow."))
    'reject by hand: Slow. (no better)'
    """
    if decision.by_hand and decision.why:
        return f"{decision.ruling} by hand: {decision.why} ({decision.reason})"
    return f"{decision.ruling}: {decision.reason}"


def command(study: Study, program: Program | None = None) -> str:
    """The line that states and runs the study anew, as one types it in a shell.

    >>> import danlu
    >>> study = danlu.Study("rates", "Which?", "err", {"lr": danlu.Float(0, 1)}, 9)
    >>> command(study, Program(command=("python", "train.py", "{args}")))
    "danlu run -p lr=0.0..1.0 --min err -n 9 --name rates --goal 'Which?' -- python ...
    """
    said = dict(read_value(study_text(study)))
    words = ["danlu", "run"]
    if program is not None and program.function:
        words.append(program.function)
    words += _space(study.search_space.domains, said.pop("space"))
    words += _metric(said.pop("metric"))
    words += ["-n", str(said.pop("trials")), "--name", said.pop("study")]
    words += ["--goal", said.pop("goal")]
    for key, value in said.items():
        words += _set(key, value)
    if program is not None and program.command:
        words += ["--", *program.command]
    return shlex.join(words)


def markdown(entries: Iterable[Entry]) -> str:
    """The log as a table in Markdown.

    >>> print(markdown([]).splitlines()[1])
    |---|---|---|---|---|---|---|---|---|
    """
    rows = [tuple(map(_cell, own.cells)) for own in entries]
    head = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def csv_text(entries: Iterable[Entry]) -> str:
    """The log as CSV with one header line; numbers stand in columns of their own.

    >>> csv_text([]).split(",")[:2]
    ['study', 'began']
    """
    to = io.StringIO()
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow([*COLUMNS, "metric", "value", "noise"])
    for own in entries:
        writer.writerow([*own.cells, own.metric, own.best, own.noise])
    return to.getvalue()


def _carried(history: History) -> Iterator[str]:
    """What the command does not do again as it was done."""
    for name, count in sources(history).items():
        yield f"{plural(count, 'trial')} of {name} taken over: the command trains anew"


def _best(
    study: Study, history: History, decisions: Sequence[Decision]
) -> tuple[float | None, float | None]:
    """The value that stands for the study, and the noise between its seeds."""
    confirmed = [own.candidate for own in decisions if own.candidate is not None]
    if confirmed and confirmed[-1].mean is not None:
        return confirmed[-1].mean, confirmed[-1].spread
    noise = trial_noise(history)
    searched = [trial for trial in history.ranked() if trial.kind is Kind.SEARCH]
    loss = history.loss(searched[0]) if searched else None
    value = None if loss is None else study.objective.value(loss)
    return value, None if noise is None else noise.sd


def _next(decision: Decision) -> str:
    if decision.ruling is Ruling.MORE and decision.missing_seeds:
        return f"{decision.missing_seeds} more seeds"
    return "; ".join(f"{own.name}: {own.reason}" for own in decision.next_studies)


def _space(domains: Mapping[str, Domain], said: object) -> list[str]:
    """Each hyperparameter as `-p` takes it, or all of them as a study file has them.

    Never some so and some so: a space is also the order of its hyperparameters.
    """
    params = {name: domain_text(domain) for name, domain in domains.items()}
    short = all(_has_short_form(n, text, domains[n]) for n, text in params.items())
    if not short:
        return _set("space", said)
    return [word for n, text in params.items() for word in ("-p", f"{n}={text}")]


def _has_short_form(name: str, text: str, domain: Domain) -> bool:
    """Whether `-p` reads this name and domain back."""
    try:
        is_read_back = read_domain(text) == domain
    except SpaceError:  # one option alone has no short form
        return False
    return is_read_back and name == name.strip() and "=" not in name


def _metric(said: object) -> list[str]:
    if isinstance(said, str):
        return ["--min", said]
    if isinstance(said, dict) and "at" not in said:
        return [f"--{said['goal']}", str(said["name"])]
    return _set("metric", said)


def _set(key: str, value: object) -> list[str]:
    return ["--set", f"{key}={value_text(value)}"]


def _cell(text: str) -> str:
    """Text that does not end a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())
