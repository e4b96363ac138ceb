"""The studies of a project, and what this process knows of each."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from . import codec, settle
from .ask import sampler_of, scheduler_of
from .errors import StudyError, StudyNotFound, did_you_mean
from .history import History
from .memory import Memory, earlier_studies
from .sentence import plural
from .statement import is_amended
from .storage.base import Storage, StudyRecord
from .study import Study

_log = logging.getLogger("danlu.design")


def advise(study: Study, but: Container[str] = ()) -> None:
    """Logs what the rules of thumb, `but` some, have against a study's design."""
    from .analysis.design import design  # for new studies alone

    for finding in design(study):
        if finding.check not in but:
            _log.warning("%s. %s", finding.message.rstrip("."), finding.advice)


def _advise_of_earlier(study: Study, history: History) -> None:
    """Logs which earlier studies tell nothing about this one's space."""
    known = zip(study.learn_from, history.earlier, history.transferred(), strict=True)
    for name, earlier, (points, _) in known:
        if len(earlier.trials) and np.isnan(points).all():
            _log.warning(
                "learn_from names %r, of whose %s none tells anything about this "
                "space: leave it out, or let the ranges overlap",
                name,
                plural(len(earlier.trials), "trial"),
            )


class Studies:
    """Keeps studies under their names, and follows their trials."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, tuple[Study, Memory]] = {}

    def plan(self, study: Study) -> Study:
        """The study, kept under its name (see `Project.plan`)."""
        if self.keep(study):
            advise(study)
            _advise_of_earlier(study, self._known[study.name][1].history())
        return study

    def keep(self, study: Study) -> bool:
        """Keeps it under its name without advice; whether it is new."""
        sampler_of(study)
        scheduler_of(study)
        earlier_studies(study, self._storage)
        statement = codec.study_to_json(study)
        known = self._record(study.name)
        record = known or self._added(study, statement)
        amended = is_amended(record.statement, statement)
        self._learn(record, study)
        if amended:
            if study.trials > record.statement["trials"]:
                self._reopen(self._known[study.name][1])
            self._storage.amend(record.id, statement)
        return known is None

    def all(self) -> Sequence[Study]:
        """All studies, oldest first."""
        return [self._study_of(record) for record in self._storage.studies()]

    def named(self, name: str | None) -> Study:
        """The study of that name or unique prefix; the newest one without a name.

        Raises:
            StudyNotFound: no study, or several, go by that name.
        """
        records = self._storage.studies()
        if name is None:
            if not records:
                raise StudyNotFound("no study here yet: run one first")
            return self._study_of(records[-1])
        exact = [record for record in records if record.name == name]
        found = exact or [record for record in records if record.name.startswith(name)]
        if len(found) == 1:
            return self._study_of(found[0])
        names = [record.name for record in found or records]
        if found:
            raise StudyNotFound(f"{name!r} may be any of: {', '.join(names)}")
        raise StudyNotFound(f"no study {name!r}: {did_you_mean(name, names)}")

    def found(self, study: Study | str) -> tuple[Study, Memory]:
        """The study as it is kept, and what is known of it; plans it if need be."""
        if isinstance(study, str):
            study = self.named(study)
        elif study.name not in self._known or self._known[study.name][0] != study:
            study = self.plan(study)
        return self._known[study.name]

    def _study_of(self, record: StudyRecord) -> Study:
        study = codec.study_from_json(record.statement)
        self._learn(record, study)
        return study

    def _learn(self, record: StudyRecord, study: Study) -> None:
        known = self._known.get(study.name)
        memory = known[1] if known else Memory(study, self._storage, record.id)
        memory.study = study
        self._known[study.name] = study, memory

    def _reopen(self, memory: Memory) -> None:
        """Lets those wait for a promotion again who had none when the study ended."""
        memory.refresh()
        for trial in list(memory.history().trials):
            waiting = settle.reopened(trial)
            if waiting and self._storage.move(memory.study_id, trial, waiting):
                memory.keep(waiting)

    def _record(self, name: str) -> StudyRecord | None:
        found = [own for own in self._storage.studies() if own.name == name]
        return found[0] if found else None

    def _added(self, study: Study, statement: Mapping[str, Any]) -> StudyRecord:
        try:
            return self._storage.add_study(study.name, statement)
        except StudyError:
            record = self._record(study.name)  # another process was first
            if record is None:
                raise
            return record
