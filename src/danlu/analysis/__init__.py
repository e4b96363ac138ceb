"""ANALYZE what a study taught: pure functions of its history."""

from .schedule import Stretch, lineage, schedule_of

__all__ = ["Stretch", "lineage", "schedule_of"]
