"""The contract of a storage: what is remembered, with one winner in every race.

A storage knows trials but not samplers: a study is to it a name and a JSON statement.
Every write of a study takes the next number of that study's *version*, and the order of
versions is the order of commits, so a follower that reads `changes` misses nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..trial import Curve, Kind, Report, State, Trial


@dataclass(frozen=True)
class StudyRecord:
    """A study as it is kept: its number in this storage, name and JSON statement."""

    id: int
    name: str
    statement: Mapping[str, Any]
    created_s: float


@dataclass(frozen=True)
class Claim:
    """Who takes a trial, and for how long before others may take it over.

    `owner` names a living process; `lease_s` None never lapses.
    """

    owner: str
    lease_s: float | None


@dataclass(frozen=True)
class Reserved:
    """A number nobody else has; `index` counts the search trials before it."""

    number: int
    index: int | None


@dataclass(frozen=True)
class Holding:
    """A running trial and who holds it.

    `leased`: it was taken for a limited time; `lapsed`: that time is over by the
    storage's clock. `filled`: its params are known.
    """

    number: int
    kind: Kind
    index: int | None
    owner: str
    attempt: int
    leased: bool
    lapsed: bool
    filled: bool


@dataclass(frozen=True)
class Changes:
    """What is new in a study: trials without their curves, and stretches of curves.

    Applied in order to what was known at the version asked for, they give what is known
    at `version`. A stretch may repeat points that are known already.
    """

    version: int
    trials: tuple[Trial, ...]
    stretches: tuple[tuple[int, Mapping[str, Curve]], ...]


@dataclass(frozen=True)
class Note:
    """A remark of the user on a study."""

    text: str
    written_s: float


@dataclass(frozen=True)
class DecisionRecord:
    """A decision as it is kept: its number in this storage, its study's, and JSON."""

    id: int
    study: int
    document: Mapping[str, Any]
    written_s: float


class Storage(ABC):
    """Remembers studies, trials and reports.

    What a method has returned from is on disk. All are safe to call from many
    processes at once.
    """

    @abstractmethod
    def add_study(self, name: str, statement: Mapping[str, Any]) -> StudyRecord:
        """Keeps a new study.

        Raises:
            StudyError: the name is taken.
        """

    @abstractmethod
    def amend(self, study: int, statement: Mapping[str, Any]) -> None:
        """Replaces a study's statement; what may change is the caller's matter."""

    @abstractmethod
    def studies(self) -> Sequence[StudyRecord]:
        """All studies, oldest first."""

    @abstractmethod
    def reserve(
        self, study: int, kind: Kind, claim: Claim, limit: int | None = None
    ) -> Reserved | None:
        """A new running trial without params; None once `limit` of its kind exist."""

    @abstractmethod
    def release(self, study: int, number: int) -> None:
        """Gives back a reserved number for which there is nothing to try."""

    @abstractmethod
    def fill(self, study: int, trial: Trial, *, alone_since: int | None = None) -> bool:
        """Writes down all of a reserved trial but its curves; others see it now.

        False, and nothing is written, if after version `alone_since` another trial with
        the same scheduler note was written.
        """

    @abstractmethod
    def move(
        self,
        study: int,
        before: Trial,
        after: Trial,
        *,
        reports: Sequence[Report] = (),
        claim: Claim | None = None,
    ) -> bool:
        """Writes `after`, with last reports, if the trial is as in `before`.

        That is, in the same state and attempt. False: somebody else was first, nothing
        was written. `claim` is the new holder of a trial that runs. Params and what was
        reported before stay as they are.

        Raises:
            TrialError: the life of a trial has no such step.
        """

    @abstractmethod
    def report(
        self, study: int, number: int, attempt: int, reports: Sequence[Report]
    ) -> State:
        """Adds reports, all or none, and answers the trial's state.

        Nothing is added, and the state is `STOPPED`, when the trial has meanwhile been
        started by somebody else (its attempt is another) or does not run any more.
        """

    @abstractmethod
    def changes(self, study: int, since: int) -> Changes:
        """What is new after version `since`; 0 gives everything."""

    @abstractmethod
    def trial(self, study: int, number: int) -> Trial | None:
        """One trial with its curves; None where there is none that has params."""

    @abstractmethod
    def holdings(self, study: int, grace_s: float = 0.0) -> Sequence[Holding]:
        """The running trials and who holds them.

        No lease has lapsed before the server has been up for `grace_s`: while it was
        away, nobody could renew one.
        """

    @abstractmethod
    def take(self, study: int, holding: Holding, claim: Claim) -> bool:
        """Makes `claim` the owner of a running trial that its holder has let go.

        Its attempt goes up by one, so that what the earlier holder still reports is
        turned away. False: somebody else was first.
        """

    @abstractmethod
    def renew(self, owner: str, lease_s: float) -> None:
        """Prolongs the lease on every running trial that `owner` holds."""

    @abstractmethod
    def add_note(self, study: int, text: str) -> None:
        """Keeps a remark on a study."""

    @abstractmethod
    def notes(self, study: int) -> Sequence[Note]:
        """The remarks on a study, oldest first."""

    @abstractmethod
    def add_decision(self, study: int, document: Mapping[str, Any]) -> DecisionRecord:
        """Keeps what was decided about a study; nothing ever changes it."""

    @abstractmethod
    def decisions(self) -> Sequence[DecisionRecord]:
        """The decisions about all studies, oldest first."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the database."""
