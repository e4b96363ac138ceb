"""A population trained from the shell, by a program that knows nothing of danlu."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Danlu

# Keeps one line for each step in its checkpoint; the best lr falls from step to step.
PROGRAM = """\
state=$DANLU_CHECKPOINT/steps
touch $state
while [ $(wc -l < $state) -lt $2 ]; do
  cp $state $state.next
  echo $1 >> $state.next
  mv $state.next $state
  awk '{ v += ($1 - 1 / NR) ^ 2 } END { print "step=" NR, "loss=" v / NR }' $state
done
"""
STUDY = """\
study: falling
goal: Which schedule of lr?
command: sh train.sh {lr} {budget}
metric: loss
space:
  lr: 0.01..1.0 log
sampler: random
scheduler:
  name: pbt
  population: 4
  interval: 2
trials: 20
max_steps: 8
"""


def trained(danlu: Danlu, folder: Path) -> None:
    (folder / "train.sh").write_text(PROGRAM)
    (folder / "study.yaml").write_text(STUDY)
    assert danlu("run", "study.yaml").code == 0


def test_a_child_is_shown_with_its_schedule(danlu: Danlu, tmp_path: Path) -> None:
    trained(danlu, tmp_path)
    number = last_trial(danlu)

    document = shown(danlu, number)
    said = danlu("trial", "show", number).out

    stretches = document["schedule"]
    assert stretches[0]["from_step"] == 0
    assert stretches[-1]["trial"] == number
    assert document["first_step"] == stretches[-1]["from_step"]
    assert f"parent   #{document['parent']}, from its checkpoint at step" in said
    steps = tmp_path / ".danlu" / "falling" / str(number) / "checkpoint" / "steps"
    expected = [
        stretch["params"]["lr"]
        for stretch in stretches
        for _ in range(stretch["from_step"], stretch["to_step"])
    ]
    assert [float(line) for line in steps.read_text().split()] == expected


def test_a_schedule_is_trained_again_from_a_study_file(
    danlu: Danlu, tmp_path: Path
) -> None:
    trained(danlu, tmp_path)
    numbers = range(last_trial(danlu) + 1)
    children = [own for n in numbers if (own := shown(danlu, n))["parent"] is not None]
    found = next(own for own in children if own["step"] == 8)
    schedule = json.dumps({"name": "scheduled", "schedule": found["schedule"]})
    again = STUDY.split("scheduler:")[0].replace("falling", "again")
    again += f"scheduler: {schedule}\ntrials: {len(found['schedule'])}\nmax_steps: 8\n"
    (tmp_path / "again.yaml").write_text(again)

    assert danlu("run", "again.yaml").code == 0

    last = shown(danlu, last_trial(danlu))
    assert (last["state"], last["step"]) == ("completed", 8)
    losses = [own["metrics"]["loss"]["values"][-1] for own in (found, last)]
    assert losses[0] == losses[1]


def last_trial(danlu: Danlu) -> int:
    """The number of the newest study's last trial."""
    numbers: list[int] = danlu("report", "--json").json["trials"]["number"]
    return numbers[-1]


def shown(danlu: Danlu, number: int) -> dict[str, Any]:
    return danlu("trial", "show", number, "--json").json
