"""Hostile values through the whole flow: statements, params, metrics, places."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import danlu
from danlu import Choice, Float, Int, State, Study
from danlu.analysis.summary import summarize
from danlu.client import LiveTrial
from danlu.errors import (
    DanluError,
    ExecutorError,
    SpaceError,
    StorageError,
    StorageFormat,
    StorageFull,
    StudyError,
)
from danlu.executors import Inline, Limits, Local
from danlu.executors.base import Executor
from danlu.report import write_html
from danlu.report.terminal import text
from danlu.samplers import Fixed
from danlu.trial import Trial
from tests.studies import bowl as bowl_study

NASTY = (
    "a'b\"c",
    "x'); DROP TABLE trials;--",
    "日本 語",
    "$(rm -rf x)",
    "<b>&amp;",
    "%s",
)
BIG = 2**53 + 1


@dataclass
class Ran:
    """What became of a study, and what was said meanwhile."""

    history: danlu.History
    messages: list[str] = field(default_factory=list)

    @property
    def trial(self) -> Trial:
        return self.history.trials[0]


def study(**changes: Any) -> Study:
    return bowl_study(**{"trials": 1, **changes})


def ran(
    place: Path, train: Callable[[LiveTrial], object] | list[str], **changes: object
) -> Ran:
    """One study run to its end in processes of its own, read from its database."""
    messages: list[str] = []
    with danlu.open(place / "tuning.db") as project:
        project.run(
            study(**changes),
            train,
            limits=Limits(grace_s=0.5),
            watch=lambda progress: messages.extend(progress.messages),
        )
    with danlu.open(place / "tuning.db") as project:
        return Ran(project.history("bowl"), messages)


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def points(trial: Trial, metric: str = "loss") -> list[tuple[int, float]]:
    curve = trial.curves[metric]
    return list(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


# What a study states.


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Float(1.0, 0.0), "needs low <= high, got low=1.0, high=0.0: swap"),
        (lambda: Int(9, 1), "needs low <= high, got low=9, high=1: swap them"),
        (lambda: Float(math.nan, 1.0), "needs finite bounds, got low=nan"),
        (lambda: Float(0.0, math.inf), "needs finite bounds, got high=inf"),
        (lambda: Float(0.0, 1.0, log=True), "needs low > 0, got low=0.0"),
        (lambda: Int(-1, 8, log=True), "needs low > 0, got low=-1"),
        (lambda: Int(0, 10**5000), "at most 4000 digits, got a longer high"),
        (lambda: Choice([10**5000]), "at most 4000 digits"),
        (lambda: Choice([math.nan]), "a value must be finite, got nan"),
        (lambda: study(space={"\udcff": Float(0, 1)}), "valid Unicode, got '.udcff'"),
        (lambda: study(space={"a\0": Float(0, 1)}), "valid Unicode, got 'a.x00'"),
        (lambda: study(fixed={"\0": 1}), "a name must be valid Unicode"),
        (lambda: study(fixed=[1]), "fixed is a dict of name to value, got .1."),
        (lambda: study(baseline="x"), "baseline is a dict of name to value, got 'x'"),
        (lambda: study(metric="a\0"), "a metric's name is valid Unicode"),
        (lambda: study(name="a\nb"), "a study's name is printable text"),
        (lambda: study(goal="\udcff?"), "goal is text in valid Unicode"),
        (lambda: study(note="\udcff"), "note is text in valid Unicode"),
        (lambda: Fixed([{"x": math.nan}]), "a value must be finite, got nan"),
    ],
)
def test_a_faulty_statement_says_what_is_wrong(
    make: Callable[[], object], says: str
) -> None:
    with pytest.raises(DanluError, match=says):
        make()


@pytest.mark.parametrize("point", [{"y": 0.5}, {"x": 7.0}, {"x": 0.5, "z": 1}])
def test_a_list_with_params_outside_the_space_ends_the_study_and_takes_no_number(
    tmp_path: Path, point: dict[str, float]
) -> None:
    planned = study(sampler=Fixed([{"x": 0.5}, point]), trials=2)
    with danlu.open(tmp_path / "tuning.db") as project:
        with pytest.raises(SpaceError, match=r"params lack 'x'|7.0 is not|'z' in"):
            project.run(planned, Inline(lambda trial: 1.0))

        assert [t.state for t in project.history(planned).trials] == ["completed"]


def test_an_unknown_name_in_a_command_is_an_error_and_takes_no_time(
    tmp_path: Path,
) -> None:
    with pytest.raises(ExecutorError, match=r"asks for \{lrr\}.*did you mean 'lr'"):
        ran(tmp_path, ["echo", "{lrr}"], space={"lr": Float(0, 1)})

    fixed = ran(tmp_path, ["echo", "step=1", "loss={lr}"], space={"lr": Float(0, 1)})

    assert fixed.trial.state is State.COMPLETED


# Whole numbers, names and options of any kind reach the program and come back.


def test_whole_numbers_are_exact_from_the_space_to_the_program(tmp_path: Path) -> None:
    script = 'echo "$1 $DANLU_PARAM_N" > $DANLU_FOLDER/seen; echo step=1 loss=1'
    space = {"n": Int(BIG, BIG + 2**70), "big": Choice([2**200 + 1])}
    done = ran(tmp_path, ["sh", "-c", script, "sh", "{n}"], space=space, trials=4)

    for trial in done.history.trials:
        folder = tmp_path / "tuning.trials" / "bowl" / str(trial.number)
        n = trial.params["n"]
        assert (folder / "seen").read_text() == f"{n} {n}\n"
        assert (
            folder / "params.json"
        ).read_text() == f'{{"n": {n}, "big": {2**200 + 1}}}'
    assert len({trial.params["n"] for trial in done.history.trials}) == 4


@pytest.mark.parametrize("name", NASTY)
def test_any_text_is_a_name_a_metric_and_an_option(tmp_path: Path, name: str) -> None:
    planned = study(name=name, metric=name, space={name: Choice([name, name * 2])})

    def echo(trial: LiveTrial) -> None:
        (trial.folder / "seen").write_text(str(trial.params[name]))
        trial.report(1, **{name: 0.5})

    with danlu.open(tmp_path / f"{name[:9]}.db", tmp_path / name[:9]) as project:
        (trial,) = project.run(planned, Local(echo)).trials
        seen = (project.trial_folder(name, 0) / "seen").read_text()

    assert points(trial, name) == [(1, 0.5)]
    assert seen == trial.params[name]


def test_a_study_named_as_the_database_has_a_folder_of_its_own(tmp_path: Path) -> None:
    with danlu.open(tmp_path / ".danlu" / "danlu.db") as project:
        trials = project.run(study(name="danlu.db"), Local(lambda trial: 1.0)).trials

    assert trials[0].state is State.COMPLETED


# What a program reports.

VALUES: list[tuple[Any, str]] = [
    ("low", "must be a number, got 'low'"),
    ([0.1, 0.2], "must be a number, got [0.1, 0.2]"),
    (True, "must be a number, got True"),
    (10**400, "too large for a float"),
    (10**5000, "too large for a float"),
]


@pytest.mark.parametrize("make", [Inline, Local])
@pytest.mark.parametrize("place", range(len(VALUES)))
def test_a_function_that_reports_no_number_fails_with_a_reason(
    tmp_path: Path, make: Callable[..., Executor], place: int
) -> None:
    value, says = VALUES[place]
    with danlu.open(tmp_path / "tuning.db") as project:
        executor = make(lambda trial: trial.report(1, loss=value))
        (trial,) = project.run(study(), executor).trials

    assert trial.state is State.FAILED
    assert says in trial.reason


@pytest.mark.parametrize("make", [Inline, Local])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_function_that_diverges_is_infeasible(
    tmp_path: Path, make: Callable[..., Executor], value: float
) -> None:
    with danlu.open(tmp_path / "tuning.db") as project:
        (trial,) = project.run(study(), make(lambda trial: value)).trials

    assert (trial.state, trial.reason) == (
        State.INFEASIBLE,
        f"diverged: loss is {value} at step 1",
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"step": 1, "loss": "low"}', "must be a number, got 'low'"),
        ('{"step": 1, "loss": [1]}', "must be a number, got [1]"),
        ('{"step": 1, "loss": null}', "must be a number, got None"),
        ('{"step": 1, "loss": 1' + "0" * 400 + "}", "must be a number, got 1000"),
        ('{"step": 1, "loss": 1' + "0" * 5000 + "}", "not JSON"),
        ('{"step": 1.5, "loss": 1}', "a step is a whole number"),
        ('{"step": -1, "loss": 1}', "from 0 to 2**63 - 1, got -1"),
        (f'{{"step": {2**63}, "loss": 1}}', f"got {2**63}"),
        ('{"step": "1", "loss": 1}', "got '1'"),
        ('{"step": 1, "\\ud800": 1}', "a metric's name is text, got '\\ud800'"),
        ('{"loss": 1}', "no step in"),
        ("loss went up", "not JSON"),
        ("[" * 9000, "not JSON"),
        ('{"step": 1, "step": 2}', "needs at least one metric"),
    ],
)
def test_a_bad_line_is_complained_of_and_the_good_ones_count(
    tmp_path: Path, line: str, complaint: str
) -> None:
    (tmp_path / "lines").write_text(f'{line}\n{{"step": 2, "loss": 0.5}}\n')

    done = ran(tmp_path, shell(f"cat {tmp_path}/lines >> $DANLU_REPORT"))

    assert points(done.trial) == [(2, 0.5)]
    assert done.messages[0].startswith("trial 0: reports.jsonl line 1: ")
    assert complaint in done.messages[0]


def test_a_number_too_large_for_json_is_infinite(tmp_path: Path) -> None:
    line = '{"step": 1, "loss": 1e400}'
    done = ran(tmp_path, shell(f"echo '{line}' >> $DANLU_REPORT"))

    assert done.trial.reason == "diverged: loss is inf at step 1"


def test_steps_may_come_in_any_order_and_again(tmp_path: Path) -> None:
    steps = "for s in 3 1 2 2 3; do n=$((n + 1)); printf"
    line = """'{"step": %d, "loss": %d}\\n' $s $n; done >> $DANLU_REPORT"""

    assert points(ran(tmp_path, shell(f"{steps} {line}")).trial) == [
        (1, 2.0),
        (2, 4.0),
        (3, 5.0),
    ]


def test_the_largest_step_is_a_step(tmp_path: Path) -> None:
    line = f'{{"step": {2**63 - 1}, "loss": 1e308}}'
    done = ran(tmp_path, shell(f"echo '{line}' >> $DANLU_REPORT"))

    assert points(done.trial) == [(2**63 - 1, 1e308)]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("step=1 loss=low\\nstep=2 loss=0.5", [(2, 0.5)]),
        ("step=1.5 loss=1\\nstep=-2 loss=1\\nstep=2 loss=0.5", [(2, 0.5)]),
        (f"step={2**63} loss=1\\nstep=2 loss=0.5", [(2, 0.5)]),
        ("step=2 loss=1\\nstep=1 loss=2\\nstep=2 loss=0.5", [(1, 2.0), (2, 0.5)]),
        ("step=2 loss=1e308", [(2, 1e308)]),
        ("\\0\\377 loss\\nstep=2 loss=0.5", [(2, 0.5)]),
    ],
)
def test_what_is_printed_is_read_as_far_as_it_can_be(
    tmp_path: Path, printed: str, expected: list[tuple[int, float]]
) -> None:
    done = ran(tmp_path, shell(f"printf '{printed}\\n'"))

    assert points(done.trial) == expected


def test_a_metric_that_never_comes_fails_and_names_what_came(tmp_path: Path) -> None:
    reason = ran(tmp_path, ["echo", "step=1", "los=1"]).trial.reason

    assert reason.startswith("ended without reporting 'loss'")


def test_an_exception_may_say_anything(tmp_path: Path) -> None:
    def fail(trial: LiveTrial) -> None:
        raise FileNotFoundError("no file '\udcff'); DROP TABLE trials;--\0")

    with danlu.open(tmp_path / "tuning.db") as project:
        (trial,) = project.run(study(), Inline(fail)).trials

    assert trial.reason == (
        "FileNotFoundError: no file '\\udcff'); DROP TABLE trials;--\0"
    )


def test_numbers_at_the_rim_are_summarized_and_drawn(tmp_path: Path) -> None:
    losses = [1e308, -1e308, 5e-324, 0.0, 1.0, -1.0]
    space = {"x": Float(-1e308, 1e308), "n": Int(1, 10**400)}
    planned = study(space=space, trials=18, scheduler="median")

    def extreme(trial: LiveTrial) -> None:
        for step in (1, 2, 2**63 - 1):
            trial.report(step, loss=losses[(trial.number + step) % 6])

    with danlu.open(":memory:", tmp_path) as project:
        history = project.run(planned, Inline(extreme))

    assert len(history.trials) == 18
    assert "-1e308" in text(summarize(planned, history))
    assert write_html(planned, history, tmp_path / "report.html").stat().st_size


# Places: databases and disks.


def foreign(path: Path) -> None:
    path.write_text("step,loss\n" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    danlu.open(path).close()
    path.write_bytes(path.read_bytes()[:5000])


def overwritten(path: Path) -> None:
    danlu.open(path).close()
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 50_000)


@pytest.mark.parametrize("spoil", [foreign, empty, truncated, overwritten])
def test_a_spoiled_database_is_refused_and_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "tuning.db"
    spoil(path)
    before = path.read_bytes()

    with pytest.raises(StorageFormat, match=r"tuning\.db.*(choose|restore)"):
        danlu.open(path)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_named(read_only_disk: Path) -> None:
    with pytest.raises(StorageError, match=r"locked.*choose a folder"):
        danlu.open(read_only_disk / "tuning.db")


def test_a_trials_folder_that_cannot_be_written_is_named_and_the_study_goes_on(
    read_only_disk: Path, tmp_path: Path
) -> None:
    path = tmp_path / "tuning.db"
    with (
        danlu.open(path, folder=read_only_disk) as project,
        pytest.raises(ExecutorError, match="cannot write in the trial's folder"),
    ):
        project.run(study(trials=2), ["echo", "step=1", "loss=1"])

    with danlu.open(path, folder=tmp_path) as project:
        assert project.holdings("bowl") == []
        history = project.run(study(trials=2), ["echo", "step=1", "loss=1"])
    assert [trial.state for trial in history.trials] == ["completed"] * 2


FILL = """
for step in 1 2 3 4 5 6; do
  printf '{"step": %d, "loss": %d}\\n' $step $step >> $DANLU_REPORT
  head -c 60000 /dev/zero >> $DANLU_CHECKPOINT/model
done
"""


def test_a_full_disk_is_named_and_the_same_command_goes_on(small_disk: Path) -> None:
    path = small_disk / "tuning.db"
    planned = study(trials=6, max_steps=6)
    with danlu.open(path) as project:
        with pytest.raises(DanluError, match=r"disk|No space left") as full:
            project.run(planned, Local(shell(FILL)))
        assert isinstance(full.value, StorageFull | ExecutorError | StudyError)
        assert "Traceback" not in str(full.value)
    with danlu.open(path) as project:
        acknowledged = [t for t in project.history(planned).trials if t.state.ended]
    (small_disk / "ballast").unlink()
    for model in small_disk.glob("tuning.trials/*/*/checkpoint/model"):
        model.unlink()

    with danlu.open(path) as project:
        for trial in project.history(planned).trials:
            if trial.state is State.FAILED:
                project.requeue(planned, trial.number)
        history = project.run(planned, ["sh", "-c", FILL.replace("60000", "10")])

    assert [trial.number for trial in history.trials] == list(range(6))
    assert {trial.state for trial in history.trials} == {State.COMPLETED}
    kept = {trial.number: points(trial) for trial in history.trials}
    for trial in acknowledged:
        if trial.state is State.COMPLETED:
            assert points(trial) == kept[trial.number]
