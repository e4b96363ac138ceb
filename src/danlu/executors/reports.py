"""Reads what a training program reports: its file, or as a last resort its output.

Both readers go on where they stopped, hold little in memory however much is written,
and never fail on what a program wrote: what cannot be read becomes a complaint.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import ReportError
from ..jsontext import shown
from ..trial import Report

MAX_LINE_BYTES = 65536
MAX_COMPLAINTS = 20  # of one trial: more say nothing new
CHUNK_BYTES = 1 << 20  # also what is read at one look: some programs never stop
BACKLOG_BYTES = 16 << 20  # of output, looked at for metrics after the end
_COMPARED_BYTES = 256

# What printf and iostream make of a number that JSON does not have: `"loss": -nan`.
_BARE = re.compile(r"(:\s*)([-+]?)(nan|inf)(?:inity)?(?=\s*[,}])", re.IGNORECASE)
_PAIR = re.compile(r"([A-Za-z_][\w./-]*)\s*=\s*([-+]?[\w.+-]+)")


class ReportReader:
    """Reads `reports.jsonl` from byte `offset` on."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._lines = _LineReader(path, offset)
        self._lines.number = _count_lines(path, offset)
        self._complained = 0
        self._failed = False

    @property
    def began(self) -> bool:
        """Whether the program has written anything."""
        return self._lines.began

    def read(self) -> tuple[list[Report], list[str]]:
        """New reports from complete lines, and complaints about the rest."""
        return self._parsed(self._lines.read())

    def read_to_end(self) -> tuple[list[Report], list[str]]:
        """The same when nothing more will be written: a last line may lack its end."""
        return self._parsed(self._lines.read_to_end())

    def _parsed(self, lines: Iterator[bytes]) -> tuple[list[Report], list[str]]:
        reports: list[Report] = []
        complaints: list[str] = []
        for line in lines:
            report, wrong = _report_of_line(line)
            if report is not None:
                reports.append(report)
            if wrong:
                self._complain(wrong, complaints)
        if self._lines.failure and not self._failed:
            self._failed = True
            complaints.append(f"reports.jsonl cannot be read: {self._lines.failure}")
        return reports, complaints

    def _complain(self, wrong: str, complaints: list[str]) -> None:
        self._complained += 1
        if self._complained <= MAX_COMPLAINTS:
            complaints.append(f"reports.jsonl line {self._lines.number}: {wrong}")
        elif self._complained == MAX_COMPLAINTS + 1:
            complaints.append("reports.jsonl: more bad lines, left out here")


class OutputReader:
    """Reads metrics from a program's output, from byte `offset` on.

    Lines like `step=3 val_error=0.31` and JSON objects count; a line without a step
    that has the study's metric counts as the step after `last_step`. With `pattern`
    only its matches count: group `step` is the step, other named groups are metrics,
    and group `metric`, or the only one, is the study's metric.
    """

    def __init__(
        self,
        path: Path,
        metric: str,
        *,
        pattern: re.Pattern[str] | None = None,
        offset: int = 0,
        last_step: int = 0,
    ) -> None:
        # With a pattern any line may matter; else a metric needs one of these.
        marks = (b"=", b"{") if pattern is None else (b"",)
        self._lines = _LineReader(path, offset, marks)
        self._metric = metric
        self._pattern = pattern
        self._last_step = last_step

    def read(self) -> list[Report]:
        """Reports in new complete lines."""
        return self._parsed(self._lines.read())

    def read_to_end(self) -> list[Report]:
        """The same when nothing more will be written; of too much only the end."""
        self._lines.skip_to_last(BACKLOG_BYTES)
        return self._parsed(self._lines.read_to_end())

    def _parsed(self, lines: Iterator[bytes]) -> list[Report]:
        found = [self._report(line) for line in lines]
        return [report for report in found if report is not None]

    def _report(self, line: bytes) -> Report | None:
        if len(line) > MAX_LINE_BYTES:
            return None
        text = line.decode(errors="replace").strip()
        named = self._matched(self._pattern, text) if self._pattern else _named(text)
        if "step" not in named and self._metric not in named:
            return None
        step = named.pop("step", self._last_step + 1)
        try:
            report = Report(_step(step), _numbers(named))
        except ReportError:
            return None
        self._last_step = report.step
        return report

    def _matched(self, pattern: re.Pattern[str], text: str) -> dict[str, Any]:
        match = pattern.search(text)
        if match is None:
            return {}
        named = {name: value for name, value in match.groupdict().items() if value}
        if not named:
            return {self._metric: match.group(1)}
        if "metric" in named and self._metric not in named:
            named[self._metric] = named.pop("metric")
        return named


class _LineReader:
    """The complete lines of a growing file; one that is too long comes cut.

    A whole chunk without any of the `marks` may be left out.
    """

    def __init__(
        self, path: Path, offset: int, marks: tuple[bytes, ...] = (b"",)
    ) -> None:
        self.number = 0
        self.began = False
        self.failure = ""
        self._path = path
        self._offset = offset
        self._before = b""
        self._rest = b""
        self._marks = marks

    def read(self) -> Iterator[bytes]:
        yield from self._split(self._chunk())

    def read_to_end(self) -> Iterator[bytes]:
        while chunk := self._chunk():
            yield from self._split(chunk)
        if self._rest:
            self.number += 1
            yield self._rest
            self._rest = b""

    def skip_to_last(self, size_bytes: int) -> None:
        """Passes over all but the last bytes of the file."""
        with suppress(OSError):
            first = os.stat(self._path).st_size - size_bytes
            if first > self._offset:
                self._offset, self._before, self._rest = first, b"", b""

    def _split(self, chunk: bytes) -> Iterator[bytes]:
        *whole, self._rest = self._marked(self._rest + chunk).split(b"\n")
        for line in whole:
            self.number += 1
            yield line
        # Of a line that is too long we keep enough to know that it is.
        self._rest = self._rest[: MAX_LINE_BYTES + 1]

    def _marked(self, text: bytes) -> bytes:
        """The text, or its last line alone where none of it matters."""
        if any(mark in text for mark in self._marks):
            return text
        return text[text.rfind(b"\n") + 1 :]

    def _chunk(self) -> bytes:
        """What the file has next; one that the program began anew is read anew."""
        try:
            with open(self._path, "rb", buffering=0, opener=_at_once) as file:
                if self._is_another(file.fileno()):
                    self._offset, self._before, self._rest = 0, b"", b""
                    self.number = 0
                file.seek(self._offset)
                chunk = file.read(CHUNK_BYTES) or b""
        except FileNotFoundError:
            return b""
        except OSError as error:  # a folder or a pipe in its place
            self.failure = error.strerror or str(error)
            return b""
        if chunk:
            self._offset += len(chunk)
            self._before = chunk[-_COMPARED_BYTES:]
            self.began = True
        return chunk

    def _is_another(self, descriptor: int) -> bool:
        """Whether what was read is not in the file any more."""
        if os.fstat(descriptor).st_size < self._offset:
            return True
        count = len(self._before)
        return os.pread(descriptor, count, self._offset - count) != self._before


def _at_once(path: str, flags: int) -> int:
    """Opens without waiting, as one would for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _count_lines(path: Path, size: int) -> int:
    """How many lines end within the first `size` bytes."""
    count = 0
    if size:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(min(CHUNK_BYTES, size)):
                count += chunk.count(b"\n")
                size -= len(chunk)
    return count


def _report_of_line(line: bytes) -> tuple[Report | None, str]:
    """The report in a line, and what is wrong with it; a blank line has neither."""
    if not line.strip():
        return None, ""
    if len(line) > MAX_LINE_BYTES:
        return None, f"longer than {MAX_LINE_BYTES} bytes"
    text = line.decode(errors="replace")
    try:
        named = _document(text)
    except (ValueError, RecursionError):
        return None, f"not JSON: {shown(text)}"
    if not isinstance(named, dict):
        return None, f"not a JSON object: {shown(named)}"
    if "step" not in named:
        return None, f"no step in {shown(named)}"
    return _report_of(named)


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(_BARE.sub(_quoted, text))


def _quoted(bare: re.Match[str]) -> str:
    before, sign, word = bare.groups()
    return f'{before}"{sign}{word}"' if word.lower() == "inf" else f'{before}"nan"'


def _report_of(named: dict[str, Any]) -> tuple[Report | None, str]:
    """The report with every metric that is a number; the others are complained of."""
    step = named.pop("step")
    good: dict[str, float] = {}
    wrong = ""
    for name, value in named.items():
        try:
            good |= Report(0, {name: value}).metrics
        except ReportError as error:
            wrong = wrong or str(error)
    if wrong and not good:
        return None, wrong
    try:
        return Report(step, good), wrong
    except ReportError as error:
        return None, str(error)


def _named(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        try:
            document = _document(text)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}
    return dict(_PAIR.findall(text)) if "=" in text else {}


def _step(value: Any) -> Any:
    """A step written as text, as a whole number where it is one."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    return value


def _numbers(named: Mapping[str, Any]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, value in named.items():
        number = _number(value)
        if number is not None:
            numbers[name] = number
    return numbers


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
