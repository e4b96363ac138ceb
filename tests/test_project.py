"""The verbs of a project: what each answers, and what it refuses."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import danlu
from danlu import Float, Kind, State, Study
from danlu.domain import Domain
from danlu.errors import (
    DanluError,
    ReportError,
    SpaceError,
    StorageError,
    StudyError,
    StudyNotFound,
    TrialError,
)
from danlu.executors import Inline
from danlu.project import Project
from tests.studies import bowl as study


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with danlu.open(tmp_path / "tuning.db") as opened:
        yield opened


def asked(project: Project, **changes: object) -> tuple[Study, danlu.Trial]:
    planned = project.plan(study(**changes))
    trial = project.ask(planned)
    assert trial is not None
    return planned, trial


def test_a_trial_is_asked_reported_and_told(project: Project) -> None:
    planned, trial = asked(project)
    goes_on = [project.report(planned, trial, step, loss=1 / step) for step in (1, 2)]
    at_budget = project.report(planned, trial, step=3, loss=0.1)

    told = project.tell(planned, trial)

    assert (goes_on, at_budget) == ([True, True], False)
    assert told.state is State.COMPLETED
    assert told.curves["loss"].values.tolist() == [1.0, 0.5, 0.1]
    assert project.holdings(planned) == []


def test_a_step_reported_again_replaces_what_it_said(project: Project) -> None:
    planned, trial = asked(project)
    for step, loss in ((2, 0.5), (1, 0.9), (2, 0.4), (3, 0.3)):
        project.report(planned, trial, step, loss=loss)

    curve = project.tell(planned, trial).curves["loss"]

    assert (curve.steps.tolist(), curve.values.tolist()) == ([1, 2, 3], [0.9, 0.4, 0.3])


def test_a_metric_may_have_any_name(project: Project) -> None:
    names = ("self", "study", "trial", "'; DROP TABLE trials;--", "val/err%", "丹炉")
    planned, trial = asked(project)
    project.report(planned, trial, 1, **dict.fromkeys(names, 0.5))

    assert set(project.history(planned).trials[0].curves) == set(names)


@pytest.mark.parametrize(
    ("step", "metrics", "says"),
    [
        (1, {"loss": "low"}, "metric 'loss' must be a number, got 'low'"),
        (1, {"loss": [0.1]}, "must be a number, got \\[0.1\\]"),
        (1, {"loss": None}, "must be a number, got None"),
        (1, {"loss": True}, "must be a number, got True"),
        (1, {"loss": 10**400}, "must be a number, got 1000"),
        (1, {"loss": 10**5000}, "got a number with thousands of digits"),
        (1, {}, "at least one metric"),
        (1, {"": 0.1}, "a metric's name is text"),
        (1, {"\udcff": 0.1}, "a metric's name is text"),
        (1.5, {"loss": 0.1}, "a step is a whole number .* got 1.5"),
        (-1, {"loss": 0.1}, "from 0 to 2\\*\\*63 - 1, got -1"),
        (2**63, {"loss": 0.1}, "got 9223372036854775808"),
        pytest.param(10**5000, {"loss": 0.1}, "got a number with thousa", id="giant"),
        (math.nan, {"loss": 0.1}, "got nan"),
        ("3", {"loss": 0.1}, "got '3'"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_nothing_is_lost(
    project: Project, step: int, metrics: dict[str, float], says: str
) -> None:
    planned, trial = asked(project)
    project.report(planned, trial, 0, loss=1.0)

    with pytest.raises(ReportError, match=says):
        project.report(planned, trial, step, **metrics)

    assert project.tell(planned, trial).curves["loss"].steps.tolist() == [0]


@pytest.mark.parametrize("value", [1e308, -1e308, 5e-324, np.float32(0.5), 2**1000])
def test_a_huge_number_is_a_number(project: Project, value: float) -> None:
    planned, trial = asked(project)
    project.report(planned, trial, 1, loss=value)

    assert project.tell(planned, trial).curves["loss"].last == float(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "NaN", "-Infinity"])
def test_a_diverged_trial_is_told_to_end_and_is_infeasible(
    project: Project, value: float
) -> None:
    planned, trial = asked(project)

    assert not project.report(planned, trial, 1, loss=value)
    told = project.tell(planned, trial)

    assert told.state is State.INFEASIBLE
    assert told.reason.startswith("diverged: loss is ")


def test_a_trial_that_never_reported_the_metric_is_not_completed(
    project: Project,
) -> None:
    planned, trial = asked(project)
    project.report(planned, trial, 1, accuracy=0.5)

    with pytest.raises(ReportError, match="trial 0 never reported 'loss': report it"):
        project.tell(planned, trial)

    assert project.tell(planned, trial, State.FAILED, "no loss").reason == "no loss"


def test_a_trial_ends_once(project: Project) -> None:
    planned, trial = asked(project)
    project.report(planned, trial, 1, loss=0.5)
    ended_s = project.tell(planned, trial).ended_s
    ends: list[Callable[[], object]] = [
        lambda: project.tell(planned, trial),
        lambda: project.tell(planned, trial, State.FAILED),
        lambda: project.end(planned, 0),
    ]

    for end in ends:
        with pytest.raises(TrialError, match="trial 0 is completed and cannot become"):
            end()

    assert project.history(planned).trials[0].ended_s == ended_s
    assert not project.report(planned, trial, 2, loss=0.4)


@pytest.mark.parametrize("state", ["finished", State.RUNNING, State.PAUSED])
def test_a_trial_is_told_to_be_in_a_state_that_is_an_end(
    project: Project, state: State
) -> None:
    planned, trial = asked(project)

    with pytest.raises(TrialError, match="ends as one of completed, stopped, inf"):
        project.tell(planned, trial, state)

    assert [own.number for own in project.holdings(planned)] == [0]


def test_a_reason_of_any_text_is_kept(project: Project) -> None:
    planned, trial = asked(project)

    told = project.tell(planned, trial, State.FAILED, "no 'file' \udcff; DROP \x00")

    assert told.reason == "no 'file' \\udcff; DROP \x00"


def test_a_trial_that_is_not_there_is_named(project: Project) -> None:
    planned, _ = asked(project)
    verbs: list[Callable[[], object]] = [
        lambda: project.report(planned, 7, 1, loss=0.5),
        lambda: project.tell(planned, 7),
        lambda: project.end(planned, 7),
        lambda: project.requeue(planned, -1),
        lambda: project.tell(planned, 10**30),
    ]

    for verb in verbs:
        with pytest.raises(TrialError, match=r"no trial .* 'bowl'; it has 0 to 0"):
            verb()


def test_added_params_are_run_next(project: Project) -> None:
    planned = project.plan(study(fixed={"width": 8}))
    added = project.add(planned, {"x": np.float64(0.25)})

    trial = project.ask(planned)

    assert trial is not None
    assert (trial.number, trial.params) == (added.number, {"x": 0.25, "width": 8})


@pytest.mark.parametrize(
    ("params", "kind", "says"),
    [
        ({"y": 1}, Kind.SEARCH, "params lack 'x'"),
        ({"x": 0.5, "xx": 1}, Kind.SEARCH, "no hyperparameter 'xx' in the space"),
        ({"x": 2}, Kind.SEARCH, "x: 2 is not in 0..1"),
        ({"x": math.nan}, Kind.SEARCH, "finite, got nan"),
        ({"x": "0.5"}, Kind.SEARCH, "x: '0.5' is not in 0..1"),
        ({"x": math.nan}, Kind.CONFIRM, "a value must be finite, got nan"),
        ({"x": [1]}, Kind.CONFIRM, "a value must be text, a number"),
        ({"x": 10**5000}, Kind.CONFIRM, "at most 4000 digits"),
    ],
)
def test_params_that_cannot_be_run_take_no_number(
    project: Project, params: dict[str, object], kind: Kind, says: str
) -> None:
    planned = project.plan(study())

    with pytest.raises(SpaceError, match=says):
        project.add(planned, params, kind=kind)  # type: ignore[arg-type]

    assert project.history(planned).trials == ()
    assert project.holdings(planned) == []


def test_a_study_takes_no_more_trials_than_it_states(project: Project) -> None:
    planned = project.plan(study(trials=1))
    project.add(planned, {"x": 0.5})

    with pytest.raises(StudyError, match="has its 1 trials: raise `trials`"):
        project.add(planned, {"x": 0.5})


def test_only_an_ended_trial_is_run_again(project: Project) -> None:
    planned, trial = asked(project)
    with pytest.raises(TrialError, match="trial 0 is running: only one that has ended"):
        project.requeue(planned, 0)
    project.tell(planned, trial, State.FAILED)

    project.requeue(planned, 0)
    again = project.ask(planned)

    assert again is not None
    assert (again.number, again.attempt, again.params) == (0, 2, trial.params)


def test_whoever_held_a_trial_before_can_tell_nothing_of_it(project: Project) -> None:
    planned, trial = asked(project)
    project.tell(planned, trial, State.FAILED)
    project.requeue(planned, 0)
    project.ask(planned)

    with pytest.raises(TrialError, match=r"taken over by .* attempt 2, this is 1"):
        project.tell(planned, trial)
    assert not project.report(planned, trial, 1, loss=0.5)


def test_a_trial_is_ended_from_outside(project: Project) -> None:
    planned, trial = asked(project)

    assert project.end(planned, 0).reason == "stopped by hand"
    assert not project.report(planned, trial, 1, loss=0.5)


def test_notes_are_kept_in_order(project: Project) -> None:
    texts = ["first", "'); DROP TABLE notes;--", "丹炉\n\x00"]
    planned = project.plan(study())
    for text in texts:
        project.note(planned, text)
    with pytest.raises(StudyError, match="valid Unicode"):
        project.note(planned, "\udcff")

    assert [note.text for note in project.notes("bowl")] == texts


def test_a_study_goes_by_its_name_or_a_unique_prefix(project: Project) -> None:
    for name in ("mlp", "mlp-wide", "convnet"):
        project.plan(study(name=name))

    names = [project.study(asked).name for asked in ("mlp", "mlp-", "c", None)]

    assert names == ["mlp", "mlp-wide", "convnet", "convnet"]


def test_a_name_that_is_no_study_gets_a_hint(project: Project) -> None:
    with pytest.raises(StudyNotFound, match="no study here yet"):
        project.study()
    for name in ("mlp-deep", "mlp-wide"):
        project.plan(study(name=name))

    with pytest.raises(StudyNotFound, match="may be any of: mlp-deep, mlp-wide"):
        project.study("mlp")
    with pytest.raises(StudyNotFound, match="did you mean 'mlp-wide'"):
        project.history("mlp_wide")


def test_another_statement_under_the_same_name_is_refused(project: Project) -> None:
    project.plan(study())
    changes: list[dict[str, object]] = [
        {"space": {"x": Float(0, 2)}},
        {"metric": "error"},
        {"seed": 1},
        {"goal": "Another?"},
    ]

    for change in changes:
        (field,) = change
        with pytest.raises(StudyError, match=f"'bowl' exists with another {field}"):
            project.plan(study(**change))

    assert project.studies() == [study()]


def test_the_history_of_a_run_is_of_that_run(project: Project) -> None:
    space = {"x": danlu.Float(0, 1)}
    study = Study("s", "Which x?", "loss", space, trials=2, sampler="random")
    train = danlu.executors.Inline(lambda trial: trial.report(1, loss=0.5))
    first = project.run(study, train)

    second = project.run(replace(study, trials=3), train)

    assert (len(first.trials), len(second.trials)) == (2, 3)


def test_trials_and_the_note_of_a_study_may_change(project: Project) -> None:
    project.plan(study())
    project.plan(study(trials=20, note="more"))

    assert project.study("bowl") == study(trials=20, note="more")


@pytest.mark.parametrize(
    "changes",
    [{"sampler": "grdi"}, {"scheduler": "mediam"}, {"sampler": 42}, {"scheduler": 42}],
)
def test_a_study_that_cannot_be_run_is_not_kept(
    project: Project, changes: dict[str, object]
) -> None:
    with pytest.raises(StudyError, match=r"did you mean|or its name, got 42"):
        project.plan(study(**changes))

    assert project.studies() == []


def test_each_study_and_trial_has_a_folder_beside_the_database(
    project: Project, tmp_path: Path
) -> None:
    folder = project.trial_folder(study(name="a/b"), 3)

    assert folder == tmp_path / "tuning.trials" / "a%2Fb" / "3"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresq://host/db", "postgresq"),
        ("a\0b.db", "no path of a file"),
        ("a" * 300 + ".db", "cannot make the database"),
        (".", "cannot read the database"),
    ],
)
def test_what_cannot_be_opened_is_named(url: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DanluError, match=says):
        danlu.open(url)
    assert list(tmp_path.iterdir()) == []


def test_the_studies_of_a_database_that_cannot_be_read_are_an_error(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tuning.db"
    danlu.open(path).close()
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 50_000)

    with pytest.raises(StorageError, match="damaged"):
        danlu.open(path).studies()


def test_sixteen_processes_ask_and_tell_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "tuning.db"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["danlu.project", "danlu.storage.sql"])
    with context.Pool(16) as pool:
        told = pool.map(_work, [path] * 16)

    with danlu.open(path) as project:
        history = project.history("bowl")
        assert project.holdings("bowl") == []
    numbers = sorted(number for own in told for number in own)
    assert numbers == list(range(48))
    assert [trial.number for trial in history.trials] == numbers
    assert {trial.state for trial in history.trials} == {State.COMPLETED}
    assert all(len(trial.curves["loss"]) == 2 for trial in history.trials)
    assert len({trial.params["x"] for trial in history.trials}) == 48
    with danlu.open(":memory:") as alone:
        expected = alone.run(study(trials=48), Inline(lambda trial: 0.5)).trials
    assert [t.params for t in history.trials] == [t.params for t in expected]


def _work(path: Path) -> list[int]:
    """All that one process gets of 48 trials; every process plans the study itself."""
    numbers = []
    with danlu.open(path) as project:
        planned = project.plan(study(trials=48))
        while trial := project.ask(planned):
            for step in (1, 2):
                project.report(planned, trial, step, loss=0.5)
            project.tell(planned, trial)
            numbers.append(trial.number)
    return numbers


def run_through(project: Project, planned: Study) -> danlu.History:
    def train(trial: danlu.client.LiveTrial) -> None:
        x = float(str(trial.params["x"]))
        trial.report(step=1, loss=x, ms=40 * x)

    return project.run(planned, Inline(train))


def test_trials_beyond_a_limit_are_infeasible_and_never_the_best(
    project: Project,
) -> None:
    known = run_through(project, study(constraints=["ms >= 20"], trials=8))

    for trial in known.trials:
        beyond = float(str(trial.params["x"])) < 0.5
        assert (trial.state is State.INFEASIBLE) == beyond
    assert known.best is not None
    assert known.best.params["x"] == min(
        float(str(t.params["x"])) for t in known.trials if t.state is State.COMPLETED
    )
    _, losses = known.observed()
    assert np.isnan(losses).tolist() == (known.slacks()[:, 0] > 0).tolist()


def test_a_study_learns_from_the_trials_of_earlier_ones(project: Project) -> None:
    run_through(project, study(name="first", trials=4))
    second = project.plan(study(name="second", learn_from=["first"]))

    ((points, losses),) = project.history(second).transferred()

    assert points[:, 0] == pytest.approx(losses)
    assert 4 == len(losses)


@pytest.mark.parametrize("space", [{"x": Float(4, 5)}, {"y": Float(0, 1)}])
def test_a_study_whose_teacher_knows_nothing_of_its_space_is_warned(
    project: Project, space: dict[str, Domain], caplog: pytest.LogCaptureFixture
) -> None:
    run_through(project, study(name="first", trials=4))

    project.plan(study(name="near", learn_from=["first"]))
    assert "learn_from" not in caplog.text
    project.plan(study(name="far", learn_from=["first"], space=space))

    assert "names 'first', of whose 4 trials none tells anything" in caplog.text


def test_a_stored_study_still_knows_its_teachers(tmp_path: Path) -> None:
    with danlu.open(tmp_path / "a.db") as project:
        run_through(project, study(name="first", trials=2))
        project.plan(study(name="second", learn_from=["first"]))
    with danlu.open(tmp_path / "a.db") as project:
        assert 2 == len(project.history("second").transferred()[0][1])


def test_studies_do_not_learn_in_chains(project: Project) -> None:
    run_through(project, study(name="first", trials=2))
    project.plan(study(name="second", learn_from=["first"]))
    third = project.plan(study(name="third", learn_from=["second"]))

    (second,) = project.history(third).earlier

    assert () == second.earlier


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"learn_from": ["frist"]}, "learn_from names 'frist'.* 'first'"),
        (
            {"learn_from": ["first"], "metric": danlu.Metric("loss", maximize=True)},
            "its metric is 'loss' made small, not 'loss' made large",
        ),
        ({"learn_from": ["first"], "metric": "error"}, "not 'error' made small"),
    ],
)
def test_a_study_learns_only_from_what_is_there_and_alike(
    project: Project, changes: dict[str, object], says: str
) -> None:
    project.plan(study(name="first"))

    with pytest.raises(StudyError, match=says):
        project.plan(study(name="second", **changes))
    assert ["first"] == [own.name for own in project.studies()]


def test_a_study_that_exists_keeps_its_guards(project: Project) -> None:
    project.plan(study(guards=["ms <= baseline"]))

    with pytest.raises(StudyError, match="exists with another guards"):
        project.plan(study(guards=["ms <= baseline + 9"]))


def test_a_study_that_exists_keeps_its_constraints(project: Project) -> None:
    project.plan(study(constraints=["ms <= 20"]))

    with pytest.raises(StudyError, match="exists with another constraints"):
        project.plan(study())
    with pytest.raises(StudyError, match="exists with another constraints"):
        project.plan(study(constraints=["ms <= 30"]))


def test_losses_of_short_trainings_of_an_earlier_study_are_not_mixed_with_long_ones(
    project: Project,
) -> None:
    def train(trial: danlu.client.LiveTrial) -> None:
        x = float(str(trial.params["x"]))
        for step in range(1, 28):
            if not trial.report(step, loss=x + 1 / step):
                break

    first = study(name="first", trials=30, scheduler="asha_stop", max_steps=27)
    project.run(first, Inline(train))
    second = project.plan(study(name="second", learn_from=["first"]))

    ((points, losses),) = project.history(second).transferred()

    assert len(losses) >= 10
    assert losses.argsort().tolist() == points[:, 0].argsort().tolist()


@pytest.mark.parametrize(("before", "now"), [(True, 1), (1, 1.0)])
def test_a_fixed_value_keeps_its_type(
    project: Project, before: object, now: object
) -> None:
    project.plan(study(fixed={"n": before}))

    with pytest.raises(StudyError, match="exists with another fixed"):
        project.plan(study(fixed={"n": now}))
