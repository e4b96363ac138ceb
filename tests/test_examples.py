from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples" / "python"


def said_by(name: str, folder: Path) -> list[str]:
    """The lines that an example printed; it must end well."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended.stdout.splitlines()


def test_a_moved_boundary_is_found_and_the_next_study_is_better(tmp_path: Path) -> None:
    first, *findings, goal, taken_over, second = said_by("move_a_boundary.py", tmp_path)

    assert first.startswith("digits: lr in 0.0001..0.01 log, best val_loss")
    assert any(line.startswith("  boundary: ") for line in findings)
    assert goal == "next: Is val_loss better with another range of lr?"
    assert taken_over == "  24 trials are taken over, the others are trained"
    assert second.startswith("digits-2: lr in 0.0001..0.1 log, best val_loss")


def test_a_reference_training_answers_for_each_schedule_and_draws_its_curves(
    tmp_path: Path,
) -> None:
    constant, cycle, pictures = said_by("fit_digits.py", tmp_path)

    assert constant.startswith("constant: val_loss 0.")
    assert cycle.startswith("one_cycle: val_loss 0.")
    assert pictures.startswith("8 pictures, the first: danlu.trials/cycle/0/")


def test_weight_decay_is_isolated_from_the_learning_rate(tmp_path: Path) -> None:
    *_, harmless, _, _, _, harmful = said_by("isolate_weight_decay.py", tmp_path)

    assert harmless.startswith("weight_decay=0 ")
    assert harmful.startswith("weight_decay=0.1 ")
    assert float(harmful.split()[-1]) > 2 * float(harmless.split()[-1])


def test_warm_up_moves_the_rate_from_which_training_is_unstable(tmp_path: Path) -> None:
    without, warm, histogram = said_by("warm_up.py", tmp_path)

    assert _rate(warm) > 2 * _rate(without)
    assert histogram.startswith("best checkpoints by tenths of the steps: ")


def _rate(line: str) -> float:
    return float(line.rpartition("lr=")[2])
