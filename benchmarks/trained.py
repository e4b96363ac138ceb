"""What real trainings reached, step by step, as tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Record = Mapping[str, Any]
REFERENCE = "random"
SHARE = 1 / 3  # of the steps of random search, at which errors are compared


def steps_to(record: Record, value: float) -> int | None:
    """After how many trained steps the validation error was that low, None if never."""
    low = np.flatnonzero(np.array(record["val_error"]) <= value)
    return int(low[0]) + 1 if len(low) else None


def chosen(record: Record, steps: int, key: str) -> int:
    """The place of the lowest finite `key` among the first `steps`."""
    values = np.array(record[key][:steps], float)
    return int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))


def ending(record: Record, key: str) -> int:
    """The place of the lowest finite `key` among the ends of full trainings."""
    values = np.array(record[key], float)
    is_end = np.array(record["step"]) == record["full"]
    return int(np.nanargmin(np.where(is_end & np.isfinite(values), values, np.nan)))


def reached(title: str, records: Sequence[Record]) -> str:
    """For each method and seed, the steps until random search's best is reached."""
    heads = ["method", "seed", "steps to it", "share", "val error at 1/3"]
    heads += ["its test error", "random search: steps", "val error", "test error"]
    rows, parts = [], _paired(records)
    for method, pairs in parts.items():
        shares, differences, tests = [], [], []
        for record, reference in pairs:
            row, found = _reached(record, reference)
            rows.append([method, str(record["seed"]), *row])
            shares.append(found[0])
            differences.append(found[1])
            tests.append(found[2])
        rows.append([method, "all", "", _median(shares), _difference(differences)])
        rows[-1] += [_difference(tests), "", "", ""]
    return _table(title, heads, rows)


def _reached(record: Record, reference: Record) -> tuple[list[str], list[float]]:
    """The cells of one seed, and the numbers that are averaged over seeds."""
    total = len(reference["val_error"])
    goal = chosen(reference, total, "val_error")
    needed = steps_to(record, reference["val_error"][goal])
    early = chosen(record, round(SHARE * total), "val_error")
    share = math.inf if needed is None else needed / total
    errors = [record["val_error"][early], record["test_error"][early]]
    theirs = [reference["val_error"][goal], reference["test_error"][goal]]
    cells = ["never" if needed is None else str(needed), _share(share)]
    cells += [*map(_number, errors), str(total), *map(_number, theirs)]
    return cells, [share, errors[0] - theirs[0], errors[1] - theirs[1]]


def ends(title: str, records: Sequence[Record]) -> str:
    """What full trainings ended with, and the best of all steps, beside the reference.

    Each is chosen by the validation loss; the test loss is of the same checkpoint.
    """
    measures = {
        "val loss at the end": (ending, "val_loss"),
        "its test loss": (ending, "test_loss"),
        "val loss, best step": (_best, "val_loss"),
        "its test loss ": (_best, "test_loss"),
    }
    rows, parts = [], _paired(records)
    for method, pairs in parts.items():
        cells = []
        for choose, key in measures.values():
            own = [one[key][choose(one, "val_loss")] for one, _ in pairs]
            theirs = [one[key][choose(one, "val_loss")] for _, one in pairs]
            gaps = [a - b for a, b in zip(own, theirs, strict=True)]
            cells.append(f"{np.mean(own):.4f} ({_difference(gaps)})")
        steps = np.mean([len(one["step"]) for one, _ in pairs])
        rows.append([method, str(len(pairs)), f"{steps:.0f}", *cells])
    return _table(title, ["method", "seeds", "steps", *measures], rows)


def _best(record: Record, key: str) -> int:
    return chosen(record, len(record[key]), key)


def _paired(records: Sequence[Record]) -> dict[str, list[tuple[Record, Record]]]:
    """The runs of each method beside the reference's of the same seed."""
    references = {one["seed"]: one for one in records if one["method"] == REFERENCE}
    found: dict[str, list[tuple[Record, Record]]] = {}
    for one in sorted(records, key=lambda own: own["seed"]):
        if one["seed"] in references:
            pair = one, references[one["seed"]]
            found.setdefault(one["method"], []).append(pair)
    return found


def _median(shares: Sequence[float]) -> str:
    return f"median {_share(float(np.median(shares)))}"


def _share(share: float) -> str:
    return "-" if math.isinf(share) else f"{share:.2f}"


def _difference(gaps: Sequence[float]) -> str:
    """The mean difference and its standard error."""
    own: NDArray[np.float64] = np.array(gaps)
    if len(own) < 2:
        return f"{own.mean():+.4f}"
    return f"{own.mean():+.4f} ± {own.std(ddof=1) / math.sqrt(len(own)):.4f}"


def _number(value: float) -> str:
    return f"{value:.4f}"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield title
        yield ""
        for row in (heads, ["---"] * len(heads), *rows):
            yield f"| {' | '.join(row)} |"

    return "\n".join(lines())
