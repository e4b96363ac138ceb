"""`danlu next`: the studies worth running now, and one of them run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import StudyError
from ..sentence import plural
from .options import JSON, PLAIN, PROJECT, QUIET, STUDY
from .place import existing, launch_path
from .stated import WithProgram
from .words import quoted, say, show_json

if TYPE_CHECKING:
    from ..loop import Progress
    from ..project import Project
    from ..propose.proposals import Proposal
    from ..study import Study


@click.command("next", cls=WithProgram)
@STUDY
@click.option("--run", "place_to_run", type=click.IntRange(1), metavar="N",
              help="Run the study at place N of the list.")  # fmt: skip
@click.option("--write", "path", metavar="FILE",
              help="Write the study at place N (or 1) as a study file.")  # fmt: skip
@PLAIN
@QUIET
@JSON
@PROJECT
@click.pass_context
def next(
    ctx: click.Context,
    /,
    study: str | None,
    *,
    place_to_run: int | None,
    path: str | None,
    plain: bool,
    quiet: bool,
    as_json: bool,
    place: str | None,
) -> int:
    """Say which studies are worth running after STUDY (the newest by default).

    Each follows from what the checks found, and comes with its reason, what it costs
    and what it is expected to bring. A program may follow `--`; without, the one is
    taken that STUDY was run with.

    \b
    danlu next
    danlu next digits --run 1
    danlu next digits --write next.yaml
    """
    from .progress import watcher

    with existing(place) as project:
        found = project.study(study)
        if any(not trial.state.ended for trial in project.history(found).trials):
            say(f"{found.name} has not ended: what is said here may change")
        proposals = project.next(found)
        if path is not None:
            proposal = chosen(proposals, place_to_run or 1)
            write_planned(project, found, proposal.study, Path(path))
        elif place_to_run is not None:
            proposal = chosen(proposals, place_to_run)
            if proposal.needs:
                say(f"needed: {proposal.needs}")
            watch = watcher(plain=plain, quiet=quiet, verbose=False)
            return run_planned(
                project,
                found,
                proposal.study,
                ctx.obj,
                watch,
                taking_over=proposal.carried > 0,
            )
        elif as_json:
            show_json("next", {"study": found.name, "next": _json(proposals)})
        elif proposals or project.history(found).best:
            _show(found, proposals)
        else:
            say(f"no trial of {found.name} has a result: nothing follows from it yet")
    return 0


def chosen(proposals: Sequence[Proposal], place: int) -> Proposal:
    """The proposal at a place of the list, which counts from 1.

    Raises:
        StudyError: there is none.
    """
    if not proposals:
        raise StudyError("no study is worth running next: see `danlu next`")
    if place > len(proposals):
        there = "is 1 study" if len(proposals) == 1 else f"are {len(proposals)} studies"
        raise StudyError(f"no study at place {place}: there {there} to choose from")
    return proposals[place - 1]


def run_planned(
    project: Project,
    study: Study,
    planned: Study,
    words: Sequence[str] | None,
    watch: Callable[[Progress], None],
    *,
    taking_over: bool = False,
) -> int:
    """Runs a planned study as `study` was run, or by the program's `words`.

    With `taking_over`, trials of `study` that are in the new space count as its own.
    """
    from ..studyfile import read_program, write_program
    from .programs import executor_of, started_by
    from .run import run_to_end

    program = read_program(launch_path(project, study.name))
    if words:
        program = started_by(words, program)
    if not program.text:
        raise StudyError(
            f"how study {study.name!r} is run is not known here: end with "
            "`-- python train.py {args}`"
        )
    executor = executor_of(program)
    planned = project.plan(planned)
    if taking_over:
        project.carry(planned, study)
    write_program(program, launch_path(project, planned.name))
    say(f"{planned.name}: {planned.goal}")
    return run_to_end(project, planned, executor, watch)


def write_planned(project: Project, study: Study, planned: Study, path: Path) -> None:
    """Writes a planned study as a study file that is run as `study` was.

    Raises:
        StudyError: the file is there already.
    """
    from ..studyfile import read_program, study_text

    program = read_program(launch_path(project, study.name))
    text = study_text(planned, program, path.parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise StudyError(f"{path} is there already and stays as it is") from None
    click.echo(f"wrote {path}")
    say(f"next: danlu check {path}")


def _show(study: Study, proposals: Sequence[Proposal]) -> None:
    """The proposals as a numbered list, on stdout."""
    from ..propose.change import differences

    for place, own in enumerate(proposals, start=1):
        click.echo(f"{place}. {own.study.name}  {own.study.goal}")
        rows = [
            ("why", own.reason),
            ("change", ", ".join(differences(study, own.study))),
            ("do", _advice(own)),
            ("needs", own.needs),
            ("expect", own.expects),
            ("cost", cost_text(study, own)),
        ]
        for label, text in rows:
            if text:
                click.echo(_wrapped(label, text))
    if not proposals:
        say(f"no check asks for another study after {study.name}")
        return
    say(f"run one: danlu next {quoted(study.name)} --run 1")


def _advice(proposal: Proposal) -> str:
    """What the checks advise, but for more trials: how many stands in the change."""
    if proposal.aim == "more":
        return ""
    return " ".join(own.advice for own in proposal.findings if own.advice)


def cost_text(study: Study, proposal: Proposal) -> str:
    """Trials, the time that they take, and the earlier ones that are used again."""
    trials = proposal.study.trials - proposal.carried
    if proposal.study.name == study.name:
        trials -= study.trials
    text = plural(trials, "trial") + time_text(proposal.seconds)
    if proposal.carried:
        text += f"; {plural(proposal.carried, 'earlier trial')} taken over"
    if proposal.learned:
        text += f"; {plural(proposal.learned, 'earlier trial')} learned from"
    return text


def time_text(seconds: float | None) -> str:
    """How long trials take, to be added to how many there are.

    >>> time_text(90.0), time_text(None)
    (', about 1m 30s in one slot', '')
    """
    from ..studyfile.quantities import duration_text

    return "" if seconds is None else f", about {duration_text(seconds)} in one slot"


def _wrapped(label: str, text: str) -> str:
    import textwrap

    from .words import screen_width

    width = min(screen_width(), 100)
    start = f"   {label:<8}"
    return textwrap.fill(
        text, width, initial_indent=start, subsequent_indent=" " * len(start)
    )


def _json(proposals: Sequence[Proposal]) -> list[dict[str, Any]]:
    from ..codec import study_to_json

    return [
        {
            "study": study_to_json(own.study),
            "aim": own.aim.value,
            "reason": own.reason,
            "checks": [finding.check for finding in own.findings],
            "expects": own.expects,
            "gain": own.gain,
            "seconds": own.seconds,
            "carried": own.carried,
            "learned": own.learned,
            "needs": own.needs,
        }
        for own in proposals
    ]
