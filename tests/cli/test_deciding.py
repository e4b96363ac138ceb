from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path

import pytest

from .conftest import STUDY as BOWL
from .conftest import Danlu

# The bottom is at 1; the seed moves every run of one seed alike, and a little apart.
PROGRAM = """\
for step in 1 2 3; do
  awk -v x="$1" -v seed="$DANLU_SEED" -v s=$step 'BEGIN {
    srand(seed); together = rand() / 10; srand(seed + x * 1000); apart = rand() / 100
    print "step=" s " loss=" (x - 1) ^ 2 + 1 / s + together + apart " size=" x + 5
  }'
done
"""
STUDY = (
    BOWL.replace("trials: 3", "trials: 5") + "fixed: {batch: 32}\nbaseline: {x: -1.0}\n"
)


def begin(danlu: Danlu, folder: Path, more: str = "") -> None:
    """Runs the study, with what its file says besides."""
    (folder / "study.yaml").write_text(STUDY + more)
    (folder / "train.sh").write_text(PROGRAM)
    assert danlu("run", "-q").code == 0


@pytest.fixture
def bowl(tmp_path: Path, danlu: Danlu) -> Path:
    """A folder whose study has a baseline and was run."""
    begin(danlu, tmp_path)
    return tmp_path


@pytest.fixture
def confirmed(bowl: Path, danlu: Danlu) -> Path:
    """The same after its best two and the baseline were confirmed."""
    assert danlu("confirm", "-q", "--top", 2, "--seeds", 3).code == 0
    return bowl


def test_findings_are_shown_on_one_screen(danlu: Danlu, bowl: Path) -> None:
    said = danlu("analyze")

    assert said.out.startswith("bowl  Where is the bottom of the bowl?\nread by loss")
    assert "cannot be told yet: " in said.out
    assert len(said.out.splitlines()) < 40


def test_what_a_study_compares_is_answered_first(danlu: Danlu, tmp_path: Path) -> None:
    begin(danlu, tmp_path, "scientific: [x]\n")

    first = danlu("analyze").out.split("\n\n")[1]

    assert first.split()[1] == "isolation"


def test_findings_are_given_as_json(danlu: Danlu, bowl: Path) -> None:
    document = danlu("analyze", "--json").json

    assert document["schema"] == "danlu/analyze@1"
    levels = {finding["level"] for finding in document["findings"]}
    assert "unknown" in levels <= {"ok", "notice", "warning", "unknown"}


def test_a_study_is_read_under_another_metric(danlu: Danlu, bowl: Path) -> None:
    said = danlu("analyze", "--metric", "size", "--at", "last")

    assert "read by size at its last" in said.out
    assert danlu("analyze", "--metric", "sise").code == 2
    document = danlu("analyze", "--metric", "size", "--goal", "max", "--json").json
    assert document["findings"][0]["check"] == "reread"


@pytest.mark.parametrize(("level", "code"), [("unknown", 3), ("warning", 0)])
def test_a_gate_that_is_not_met_ends_with_3(
    danlu: Danlu, bowl: Path, level: str, code: int
) -> None:
    assert danlu("analyze", "--fail-on", level).code == code


def test_the_best_and_the_baseline_are_run_on_the_same_fresh_seeds(
    danlu: Danlu, confirmed: Path
) -> None:
    said = danlu("export", "json")
    trials = [own for own in said.json["trials"] if own["kind"] == "confirm"]
    seeds: dict[float, list[int]] = {}
    for trial in trials:
        seeds.setdefault(trial["params"]["x"], []).append(trial["seed"])

    assert len(seeds) == 3
    assert len({tuple(own) for own in seeds.values()}) == 1
    assert len(set(seeds[-1.0])) == 3


def test_confirming_again_runs_nothing(danlu: Danlu, confirmed: Path) -> None:
    said = danlu("confirm", "--top", 2, "--seeds", 3)

    assert said.code == 0
    assert "all of them have been run" in said.err
    assert len(danlu("export", "json").json["trials"]) == 6 + 9


def test_runs_can_be_queued_for_another_loop(danlu: Danlu, bowl: Path) -> None:
    said = danlu("confirm", "--queue", "--top", 1, "--seeds", 2)

    assert "4 runs to go" in said.err
    assert "4 of the confirming runs have not ended" in danlu("decide").out
    assert danlu("resume", "-q").code == 0
    assert "MORE SEEDS" in danlu("decide").out or "ADOPT" in danlu("decide").out


def test_what_was_never_run_here_needs_a_program(danlu: Danlu, bowl: Path) -> None:
    (bowl / ".danlu" / "bowl" / "launch.json").unlink()

    said = danlu("confirm")

    assert said.code == 2
    assert "end with" in said.err
    assert danlu("confirm", "-q", "--top", 1, "--seeds", 1, "--", "sh", "train.sh",
                 "{x}").code == 0  # fmt: skip


def test_a_better_one_is_adopted_and_becomes_the_baseline(
    danlu: Danlu, confirmed: Path
) -> None:
    before = danlu("baseline")
    said = danlu("decide")
    after = danlu("baseline")

    assert before.code == 4
    assert said.out.startswith("ADOPT  bowl")
    assert "note    It holds for batch=32, which was fixed." in said.out
    assert after.code == 0
    assert "from      bowl, decision 1 by " in after.out


def test_a_decision_is_given_as_json(danlu: Danlu, confirmed: Path) -> None:
    decision = danlu("decide", "--complexity", 0.5, "--json").json

    assert decision["schema"] == "danlu/decide@1"
    assert decision["ruling"] == "adopt"
    assert decision["gain"]["low"] > 0.5
    assert decision["baseline"]["params"] == {"x": -1.0, "batch": 32}


def test_a_gain_below_its_cost_is_rejected(danlu: Danlu, confirmed: Path) -> None:
    said = danlu("decide", "--complexity", 1000)

    assert said.out.startswith("REJECT  bowl")
    assert "the gain is below its cost" in said.out


def test_a_broken_guard_keeps_the_winner_out(danlu: Danlu, confirmed: Path) -> None:
    said = danlu("decide", "--guard", "size <= baseline + 0.1")

    assert said.out.startswith("REJECT  bowl")
    assert "guard   size <= baseline + 0.1: BROKEN" in said.out
    assert "is no number" in danlu("decide", "--guard", "size <= baseline + x").err


def test_a_guard_may_be_stated_with_the_study(danlu: Danlu, tmp_path: Path) -> None:
    begin(danlu, tmp_path, "guards: size <= baseline + 0.1\n")
    danlu("confirm", "-q", "--top", 2, "--seeds", 3)

    assert "guard   size <= baseline + 0.1: BROKEN" in danlu("decide").out
    assert "BROKEN" not in danlu("decide", "--guard", "size <= baseline + 9").out


def test_a_person_may_rule_otherwise_and_says_why(
    danlu: Danlu, confirmed: Path
) -> None:
    assert "needs a reason" in danlu("decide", "--reject").err

    said = danlu("decide", "--reject", "--why", "too slow on the phone")

    assert said.out.startswith("REJECT  bowl")
    assert "too slow on the phone" in said.out
    assert danlu("baseline").code == 4


def test_a_rejection_by_hand_says_what_still_holds(
    danlu: Danlu, confirmed: Path
) -> None:
    danlu("decide", "--adopt", "--why", "simpler")

    said = danlu("decide", "--reject", "--why", "too slow")

    assert said.err.endswith("still holds: danlu baseline --rollback ends it\n")


def test_an_adoption_is_taken_back(danlu: Danlu, confirmed: Path) -> None:
    danlu("decide")

    said = danlu("baseline", "--rollback", "--why", "it broke the build")

    assert said.code == 0
    assert "decision 1 is taken back: there is no baseline now" in said.err
    again = danlu("baseline", "--rollback")
    assert again.code == 2
    assert "nothing is adopted" in again.err


def test_the_next_study_is_compared_with_what_was_adopted(
    danlu: Danlu, confirmed: Path
) -> None:
    danlu("decide")
    adopted = danlu("baseline", "--json").json["baseline"]["candidate"]["params"]
    without = STUDY.replace("baseline: {x: -1.0}\n", "").replace(": bowl", ": again")
    (confirmed / "study.yaml").write_text(without)
    ran = danlu("run", "-q", "--seed", 1)

    said = danlu("confirm", "again", "--top", 1, "--seeds", 2)
    decision = danlu("decide", "again", "--json").json

    assert "baseline of study 'bowl', decision 1: x=" in ran.err
    assert "the baseline of study 'bowl', decision 1" in said.err
    assert decision["baseline"]["params"] == adopted


def test_the_log_says_why_what_and_what_next(danlu: Danlu, confirmed: Path) -> None:
    danlu("note", "Seeds matter here | they do.")
    danlu("decide")

    text = danlu("log").out
    (entry,) = danlu("log", "--json").json["studies"]
    table = danlu("log", "--markdown").out.splitlines()
    header, row = csv.reader(io.StringIO(danlu("log", "--csv").out))

    assert "question    Where is the bottom of the bowl?" in text
    assert entry["conclusion"].startswith("adopt: trial ")
    assert (entry["ended"], entry["trials"]) == (5, 5)
    assert len(table) == 3
    assert "Seeds matter here \\| they do." in table[2]
    assert row[header.index("notes")] == "Seeds matter here | they do."
    assert float(row[header.index("noise")]) > 0


@pytest.mark.parametrize(
    "changes",
    [
        "",
        "  opt: {choice: {adam: {lr: 1e-4..1.0:log}, sgd: {}}}\n",
        "  k: {choice: [1, 2.5, true, 'a b'], belief: {center: 1}}\n  n: 4<8<16\n",
    ],
)
def test_the_command_of_the_log_states_the_same_study(
    danlu: Danlu, bowl: Path, changes: str
) -> None:
    stated = STUDY.replace("fixed:", f"{changes}fixed:").replace(": bowl", ": other")
    stated += "sampler: {name: tpe, startup: 3}\nseed: 7\n"
    stated = stated.replace("metric: loss", "metric: {name: loss, at: last}")
    (bowl / "study.yaml").write_text(stated.replace("{name: tpe, startup: 3}", "tpe"))
    danlu("run", "-q")
    command = danlu("log", "--json").json["studies"][-1]["command"]
    elsewhere = bowl / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "train.sh").write_text(PROGRAM)

    words = shlex.split(command)[1:]
    at = words.index("--")
    ran = danlu(*words[:at], "--project", elsewhere, "-q", *words[at:])

    assert ran.code == 0
    kept = danlu("export", "json", "--project", elsewhere).json
    assert kept["study"] == danlu("export", "json").json["study"]
