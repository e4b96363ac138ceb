"""A study as one page: in the terminal, as a single HTML file, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..analysis.summary import Summary, summarize
from ..decide.decision import Decision
from ..history import History
from ..storage.base import Note
from ..study import Study
from .document import summary_to_json
from .html import html
from .terminal import text

__all__ = ["Summary", "html", "summarize", "summary_to_json", "text", "write_html"]


def write_html(
    study: Study,
    history: History,
    path: Path,
    notes: Sequence[Note] = (),
    decision: Decision | None = None,
) -> Path:
    """The path of the report, written as one HTML file that opens offline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    summary = replace(summarize(study, history, notes), decision=decision)
    path.write_text(html(summary), encoding="utf-8")
    return path
