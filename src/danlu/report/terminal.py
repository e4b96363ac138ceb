"""A summary as plain text for a terminal."""

from __future__ import annotations

from ..analysis.summary import Summary


def text(summary: Summary, width: int = 100, color: bool = False) -> str:
    """The summary as lines of text."""
    return summary.study.goal
