"""The decisions of a project, in the order in which they were made."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import replace

from .. import codec
from ..errors import StudyError
from ..owner import host
from ..storage.base import DecisionRecord, Storage
from ..study import Study
from .decision import Baseline, Decision, Ruling, standing


class Decisions:
    """Keeps decisions, and knows which baseline they have left."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def all(self) -> tuple[Decision, ...]:
        """All decisions, oldest first."""
        return tuple(_decision(record) for record in self._storage.decisions())

    def about(self, study: str) -> tuple[Decision, ...]:
        """Those about one study."""
        return tuple(own for own in self.all() if own.study == study)

    def baseline(self) -> Decision | None:
        """The adoption that holds now."""
        return standing(self.all())

    def to_beat(self, study: Study) -> Baseline | None:
        """What a study's candidates are compared with.

        The baseline that it states, or what other studies have left; what was adopted
        from the study itself is one of its candidates.
        """
        if study.baseline is not None:
            return Baseline(study.baseline, f"study {study.name!r}")
        held = standing(own for own in self.all() if own.study != study.name)
        if held is None or held.params is None:
            return None
        origin = f"study {held.study!r}, decision {held.number}"
        return Baseline({**study.fixed, **held.params}, origin)

    def keep(self, study: int, decision: Decision) -> Decision:
        """The decision as it is kept, or the one that says the same already."""
        earlier = self.about(decision.study)
        if earlier and not decision.why and _same(earlier[-1], decision):
            return earlier[-1]
        signed = replace(decision, who=_who())
        return _decision(
            self._storage.add_decision(study, codec.decision_to_json(signed))
        )

    def rollback(self, why: str, ids: Mapping[str, int]) -> Decision:
        """A record that the last adoption does not hold any more.

        `ids` are the numbers of studies in the storage.

        Raises:
            StudyError: nothing is adopted.
        """
        held = self.baseline()
        if held is None:
            raise StudyError("there is no baseline to roll back: nothing is adopted")
        before = standing(own for own in self.all() if own.number != held.number)
        now = "there is no baseline now"
        if before is not None:
            now = f"the baseline is that of study {before.study!r} again"
        back = Decision(
            study=held.study,
            ruling=Ruling.ROLLBACK,
            reason=f"decision {held.number} is taken back: {now}",
            metric=held.metric,
            why=why,
            by_hand=True,
            rolls_back=held.number,
        )
        return self.keep(ids[held.study], back)


def by_hand(decision: Decision, ruling: Ruling, why: str) -> Decision:
    """The decision as a person rules it, with the evidence as it is.

    Raises:
        StudyError: nothing says why, or there is nothing to adopt.
    """
    if not why.strip():
        raise StudyError(f"a ruling by hand needs a reason: say why to {ruling.value}")
    candidate = decision.candidate
    if candidate is None and len(decision.candidates) == 1:
        (candidate,) = decision.candidates
    if ruling is Ruling.ADOPT and candidate is None:
        raise StudyError(
            f"study {decision.study!r} has no single candidate to adopt: confirm one "
            "trial first"
        )
    return replace(
        decision, ruling=ruling, candidate=candidate, why=why, by_hand=True,
        missing_seeds=None,
    )  # fmt: skip


def _decision(record: DecisionRecord) -> Decision:
    own = codec.decision_from_json(record.document)
    return replace(own, number=record.id, written_s=record.written_s)


def _same(one: Decision, other: Decision) -> bool:
    """Whether two decisions say the same from the same evidence."""
    blank = {"who": "", "number": None, "written_s": None, "next_studies": ()}
    return replace(one, **blank) == replace(other, **blank)  # type: ignore[arg-type]


def _who() -> str:
    """The person at this machine, as far as the system knows."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "somebody"
    return f"{user}@{host()}"
