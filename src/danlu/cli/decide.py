"""`danlu decide` and `baseline`: what to adopt, and what holds now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ..errors import StudyError
from ..sentence import plural
from .exits import NO_RESULT
from .options import JSON, PROJECT, STUDY
from .place import existing
from .words import number, params_text, quoted, say, show_json

if TYPE_CHECKING:
    from ..decide.decision import Decision, Runs


@click.command()
@STUDY
@click.option("--complexity", type=float, default=0.0, metavar="X",
              help="What adoption costs, in units of the metric.")  # fmt: skip
@click.option("--guard", "guards", multiple=True, metavar="TEXT",
              help="What must hold too, as 'test_err <= baseline + 0.005', in "
                   "the place of the study's guards.")  # fmt: skip
@click.option("--most-seeds", type=click.IntRange(2), default=20, show_default=True,
              metavar="N", help="Give up a gain that needs more seeds.")  # fmt: skip
@click.option("--adopt", "ruling", flag_value="adopt",
              help="Adopt it whatever the numbers say; needs --why.")  # fmt: skip
@click.option("--reject", "ruling", flag_value="reject",
              help="Reject it whatever the numbers say; needs --why.")  # fmt: skip
@click.option("--why", default="", metavar="TEXT", help="The reason of a ruling.")
@JSON
@PROJECT
def decide(
    study: str | None,
    *,
    complexity: float,
    guards: tuple[str, ...],
    most_seeds: int,
    ruling: str | None,
    why: str,
    as_json: bool,
    place: str | None,
) -> None:
    """Decide from the confirming runs of STUDY: adopt, reject, or run more seeds.

    The decision is kept, with who, when and why. What is adopted becomes the project's
    baseline: later studies are compared with it.

    \b
    danlu decide
    danlu decide digits --complexity 0.002 --guard 'test_err <= baseline + 0.005'
    danlu decide digits --reject --why 'too slow on the phone'
    """
    from ..decide.decision import Ruling
    from ..decide.rule import Terms

    if why and ruling is None:
        raise click.UsageError("--why is the reason of --adopt or --reject: add one")
    terms = Terms(complexity, guards or None, most_seeds)
    with existing(place) as project:
        own = None if ruling is None else Ruling(ruling)
        decision = project.decide(project.study(study), terms, ruling=own, why=why)
        held = project.baseline()
    if as_json:
        show_json("decide", decision_json(decision))
    else:
        show_decision(decision)
    is_rejected = decision.ruling == "reject"
    if is_rejected and held is not None and held.study == decision.study:
        say(f"decision {held.number} still holds: danlu baseline --rollback ends it")


@click.command()
@click.option("--rollback", is_flag=True, help="Take the last adoption back.")
@click.option("--why", default="", metavar="TEXT", help="Why it is taken back.")
@JSON
@PROJECT
def baseline(rollback: bool, why: str, as_json: bool, place: str | None) -> int:
    """The configuration that holds now, and where it comes from.

    Exit code 4: nothing is adopted.
    """
    with existing(place) as project:
        if rollback:
            say(project.rollback(why).reason)
        held = project.baseline()
    if as_json:
        own = None if held is None else decision_json(held)
        show_json("baseline", {"baseline": own})
    elif held is not None:
        click.echo(_baseline_text(held))
    if held is None and not rollback:
        say("nothing is adopted yet: `danlu confirm`, then `danlu decide`")
        return NO_RESULT
    return 0


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision as the reading commands give it out."""
    from ..codec import decision_to_json

    own = {"number": decision.number, "written_s": decision.written_s}
    return {**own, **decision_to_json(decision)}


def show_decision(decision: Decision) -> None:
    """The ruling first, then what it rests on."""
    click.echo("\n".join(_lines(decision)))
    name = quoted(decision.study)
    if decision.ruling == "more" and decision.total_seeds:
        own = [] if decision.candidate is None else [decision.candidate]
        trials = [runs.trials[0] for runs in own or decision.candidates if runs.trials]
        which = "".join(f" --trial {trial}" for trial in trials)
        say(f"next: danlu confirm {name}{which} --seeds {decision.total_seeds}")
    elif decision.ruling == "more":
        say(f"next: danlu resume {name}")


def _lines(decision: Decision) -> Iterator[str]:
    yield f"{_ruling(decision)}  {decision.study}"
    yield f"  {decision.reason}"
    if decision.why:
        yield f"  {decision.who}: {decision.why}"
    rows = [*decision.candidates]
    if decision.baseline is not None:
        rows.append(decision.baseline)
    yield from ("", *(_runs_line(own, decision) for own in rows)) if rows else ()
    for guard in decision.guards:
        kept = "kept" if guard.kept else "BROKEN"
        yield f"guard   {guard.text}: {kept} ({number(guard.value)})"
    yield from ("", *(f"note    {caveat}" for caveat in decision.caveats))
    for study in decision.next_studies:
        yield f"next    {study.name}: {study.reason}"


def _ruling(decision: Decision) -> str:
    words = {"adopt": "ADOPT", "reject": "REJECT", "rollback": "ROLLBACK"}
    if decision.ruling == "more" and decision.missing_seeds:
        return f"{plural(decision.missing_seeds, 'MORE SEED')} NEEDED".upper()
    return words.get(decision.ruling.value, "NOT YET")


def _runs_line(runs: Runs, decision: Decision) -> str:
    is_baseline = runs is decision.baseline
    name = "baseline" if is_baseline else f"#{runs.trials[0] if runs.trials else '-'}"
    chosen = " *" if runs == decision.candidate else ""
    spread = "" if runs.spread is None else f" sd {runs.spread:.2g}"
    return (
        f"{name + chosen:<8}  {decision.metric} {number(runs.mean)}{spread}  "
        f"{plural(runs.seeds, 'seed')}  {params_text(runs.params)}"
    )


def _baseline_text(held: Decision) -> str:
    runs = held.candidate
    if runs is None:
        raise StudyError(f"decision {held.number} adopts nothing")
    spread = "" if runs.spread is None else f" (sd {runs.spread:.2g})"
    return "\n".join(
        (
            f"baseline  {params_text(runs.params)}",
            f"from      {held.study}, decision {held.number} by {held.who}",
            f"has       {held.metric} {number(runs.mean)}{spread} on "
            f"{plural(runs.seeds, 'fresh seed')}",
        )
    )
