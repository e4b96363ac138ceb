"""How often each check is right, on studies whose truth is known.

python -m benchmarks.planted --draws 200 [--check boundary] [--situation lr-high]
python -m benchmarks.planted --draws 200 --spread
python -m benchmarks.planted --cost

Every situation of `tests/planted` is drawn so many times. A check *detects* where it
says what is planted, about the hyperparameter, arm or side that it is about; it raises
a *false alarm* where it gives a notice or a warning although nothing of its kind is
true. Intervals are exact ones of 95 % (Clopper & Pearson, 1934).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from danlu import Finding
from danlu.analysis.checks import CHECKS
from tests.planted.claims import Claim, Drawn, Situation
from tests.planted.library import SITUATIONS, drawn
from tests.planted.reading import is_said

from .asks import THREADS
from .planted_cost import costs


@dataclass(frozen=True)
class Tally:
    """How often a check said what a claim names, in the draws of one situation."""

    check: str
    speaks: bool
    stated: bool
    situation: str
    what: str
    said: int
    draws: int

    @property
    def right(self) -> float:
        """The share of draws in which the check was right."""
        share = self.said / self.draws
        return share if self.speaks else 1 - share


def measured(
    situation: Situation, draws: int, checks: Sequence[str], first: int = 0
) -> list[Tally]:
    """What the checks said in one situation, claim by claim."""
    said: dict[Claim, int] = defaultdict(int)
    seen: dict[Claim, int] = defaultdict(int)
    began_s = time.process_time()
    for number in range(first, first + draws):
        found = drawn(situation, number)
        for name in checks:
            own = [claim for claim in found.claims if claim.check == name]
            findings = _findings(name, found) if own else ()
            for claim in own:
                seen[claim] += 1
                said[claim] += is_said(claim, findings, found.study)
    spent_s = time.process_time() - began_s
    print(f"{situation.name}: {spent_s:.1f} s", file=sys.stderr)
    return [
        Tally(
            claim.check,
            claim.speaks,
            claim.stated,
            situation.name,
            _words(claim),
            said[claim],
            count,
        )
        for claim, count in seen.items()
    ]


def _findings(name: str, found: Drawn) -> Sequence[Finding]:
    return CHECKS[name](found.study, found.history)


def _words(claim: Claim) -> str:
    return " ".join(word for word in (claim.about, claim.says) if word)


def interval(said: int, draws: int) -> tuple[float, float]:
    """The exact 95 % interval of a probability (Clopper & Pearson, 1934)."""
    from scipy.stats import binomtest

    found = binomtest(said, draws).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def summary(tallies: Sequence[Tally], checks: Sequence[str]) -> str:
    """For each check its detection rate and its false-alarm rate, in Markdown."""
    lines = [
        "| check | detected | of | least in | smaller effects | of | false alarms | of "
        "| most in |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for check in checks:
        own = [tally for tally in tallies if tally.check == check]
        stated = [tally for tally in own if tally.speaks and tally.stated]
        smaller = [tally for tally in own if not tally.stated]
        alarms = [tally for tally in own if not tally.speaks]
        cells = [*_cells(stated), *_cells(smaller)[:2], *_cells(alarms)]
        lines.append(f"| `{check}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(tallies: Sequence[Tally]) -> list[str]:
    """The rate with its interval, the number of draws, and the worst situation."""
    if not tallies:
        return ["-", "0", "-"]
    said = sum(tally.said for tally in tallies)
    draws = sum(tally.draws for tally in tallies)
    worst = min(tallies, key=lambda tally: tally.right)
    place = f"{worst.situation} {100 * worst.said / worst.draws:.0f} %"
    return [_rate(said, draws), f"{draws}", place]


def _rate(said: int, draws: int) -> str:
    low, high = interval(said, draws)
    return f"{100 * said / draws:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def details(tallies: Sequence[Tally], most_right: float = 1.0) -> str:
    """One line for each claim whose check was right in at most that share of draws."""
    lines = ["| check | situation | claim | said | draws |", "|---|---|---|---|---|"]
    order = sorted(tallies, key=lambda t: (t.check, not t.speaks, t.right))
    for tally in order:
        if tally.right > most_right:
            continue
        claim = "says" if tally.speaks else "silent"
        claim = claim if tally.stated else "may say"
        claim = f"{claim} {tally.what}".strip()
        share = f"{100 * tally.said / tally.draws:.0f} %"
        cells = (f"`{tally.check}`", tally.situation, claim, share, str(tally.draws))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _situations(names: Sequence[str] | None, slow: bool) -> list[Situation]:
    if names:
        return [SITUATIONS[name] for name in names]
    return [one for one in SITUATIONS.values() if slow or not one.slow]


def main(words: Sequence[str] | None = None) -> None:
    """Measures, and prints the tables."""
    parser = argparse.ArgumentParser(description="How often each check is right.")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first draw's number")
    parser.add_argument("--check", choices=list(CHECKS), action="append")
    parser.add_argument("--situation", choices=list(SITUATIONS), action="append")
    parser.add_argument("--slow", action="store_true", help="ask the Gaussian process")
    parser.add_argument(
        "--spread",
        action="store_true",
        help="as many draws of what each check should see, over all its situations",
    )
    parser.add_argument("--save", help="a file that the counts are added to")
    parser.add_argument("--load", help="print the tables of such a file")
    parser.add_argument("--cost", action="store_true", help="CPU time on a large study")
    own = parser.parse_args(words)
    checks = own.check or list(CHECKS)
    if own.cost:
        print(cost_table(costs(checks)))
        return
    situations = [] if own.load else _situations(own.situation, own.slow)
    tallies = load(own.load) if own.load else []
    with np.errstate(all="raise", under="ignore"):
        for situation, draws, asked in _rounds(
            situations, own.draws, checks, own.spread
        ):
            found = measured(situation, draws, asked, own.first)
            tallies += found
            if own.save:
                save(found, own.save)
    tallies = [tally for tally in added(tallies) if tally.check in checks]
    print(summary(tallies, checks))
    print()
    narrow = own.check or own.situation
    print(details(tallies, 1.0 if narrow else 0.95))


def _rounds(
    situations: Sequence[Situation], draws: int, checks: Sequence[str], spread: bool
) -> Iterator[tuple[Situation, int, Sequence[str]]]:
    """What is to be drawn how often, for which checks."""
    if not spread:
        yield from ((situation, draws, checks) for situation in situations)
        return
    claims = {situation.name: drawn(situation, 0).claims for situation in situations}
    for check in checks:
        own = [
            situation
            for situation in situations
            if any(
                claim.check == check and claim.speaks and claim.stated
                for claim in claims[situation.name]
            )
        ]
        for situation in own:
            yield situation, -(-draws // len(own)), [check]


def save(tallies: Iterable[Tally], path: str) -> None:
    """Adds the counts to a file, one JSON object on each line."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(tally)) + "\n" for tally in tallies)


def load(path: str) -> list[Tally]:
    """The counts in a file that `save` wrote."""
    lines = Path(path).read_text("utf-8").splitlines()
    return [Tally(**json.loads(line)) for line in lines]


def added(tallies: Iterable[Tally]) -> list[Tally]:
    """The counts of one claim in one situation, from several runs, as one."""
    joined: dict[tuple[object, ...], Tally] = {}
    for tally in tallies:
        key = (tally.check, tally.speaks, tally.stated, tally.situation, tally.what)
        known = joined.get(key, replace(tally, said=0, draws=0))
        said, draws = known.said + tally.said, known.draws + tally.draws
        joined[key] = replace(known, said=said, draws=draws)
    return list(joined.values())


def cost_table(seconds: Mapping[str, float]) -> str:
    """CPU seconds of each check, and of all together, in Markdown."""
    lines = ["| check | CPU seconds |", "|---|---|"]
    lines += [f"| `{name}` | {spent_s:.2f} |" for name, spent_s in seconds.items()]
    return "\n".join([*lines, f"| all | {sum(seconds.values()):.2f} |"])


if __name__ == "__main__":
    os.environ.update(dict.fromkeys(THREADS, "1"))
    main()
