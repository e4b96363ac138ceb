"""What a program wrote is read once, in order, whatever it looks like."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from danlu.executors.reports import (
    BACKLOG_BYTES,
    MAX_COMPLAINTS,
    MAX_LINE_BYTES,
    OutputReader,
    ReportReader,
)
from danlu.trial import Report


def append(path: Path, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def test_no_file_is_no_report(tmp_path: Path) -> None:
    assert ReportReader(tmp_path / "reports.jsonl").read() == ([], [])


def test_each_line_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    reader = ReportReader(path)
    append(path, '{"step": 1, "loss": 0.5}\n')
    assert reader.read() == ([Report(1, {"loss": 0.5})], [])
    append(path, '{"step": 2, "loss": 0.4}\n')
    assert reader.read() == ([Report(2, {"loss": 0.4})], [])
    assert reader.read() == ([], [])


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    reader = ReportReader(path)
    append(path, '{"step": 1, "lo')
    assert reader.read() == ([], [])
    append(path, 'ss": 0.5}\n')
    assert reader.read() == ([Report(1, {"loss": 0.5})], [])


def test_a_last_line_without_its_end_is_read_at_exit(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    append(path, '{"step": 1, "loss": 0.5}')
    assert ReportReader(path).read_to_end() == ([Report(1, {"loss": 0.5})], [])


def test_nan_and_infinity_have_two_spellings(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    append(path, '{"step": 1, "a": NaN, "b": "nan", "c": -Infinity, "d": "inf"}\n')
    [report], _ = ReportReader(path).read()
    assert math.isnan(report.metrics["a"])
    assert math.isnan(report.metrics["b"])
    assert (report.metrics["c"], report.metrics["d"]) == (-math.inf, math.inf)


def test_what_printf_writes_for_nan_and_infinity_is_read(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    append(path, '{"step": 1, "a": -nan, "b":inf, "c": -inf, "d": +Infinity}\n')
    [report], complaints = ReportReader(path).read()
    assert math.isnan(report.metrics.pop("a"))  # type: ignore[attr-defined]
    assert report.metrics == {"b": math.inf, "c": -math.inf, "d": math.inf}
    assert complaints == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("loss 0.5", "reports.jsonl line 1: not JSON: 'loss 0.5'"),
        ("[1, 2]", "reports.jsonl line 1: not a JSON object: [1, 2]"),
        ('{"loss": 1}', "reports.jsonl line 1: no step in {'loss': 1}"),
        (
            '{"step": 1.5, "loss": 1}',
            "reports.jsonl line 1: a step is a whole number (an epoch, an iteration), "
            "got 1.5",
        ),
        (
            '{"step": 1, "loss": "low"}',
            "reports.jsonl line 1: metric 'loss' must be a number, got 'low'",
        ),
        (
            '{"step": 1, "loss": [0.5]}',
            "reports.jsonl line 1: metric 'loss' must be a number, got [0.5]",
        ),
        ('{"step": 1}', "reports.jsonl line 1: a report needs at least one metric"),
        ("[" * 5000, "reports.jsonl line 1: not JSON"),
        ("1" * 5000, "reports.jsonl line 1: not JSON"),
        ("x" * 2 * MAX_LINE_BYTES, "reports.jsonl line 1: longer than 65536 bytes"),
    ],
)
def test_a_bad_line_is_complained_of_and_the_rest_is_read(
    tmp_path: Path, line: str, complaint: str
) -> None:
    path = tmp_path / "reports.jsonl"
    append(path, f'{line}\n\n{{"step": 2, "loss": 0.5}}\n')
    reports, complaints = ReportReader(path).read()
    assert reports == [Report(2, {"loss": 0.5})]
    assert [text[: len(complaint)] for text in complaints] == [complaint]


def test_one_bad_metric_does_not_take_the_others_along(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    append(path, '{"step": 1, "loss": 0.5, "note": "warm-up"}\n')
    reports, complaints = ReportReader(path).read()
    assert reports == [Report(1, {"loss": 0.5})]
    assert len(complaints) == 1


def test_complaints_end_some_time(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    append(path, "bad\n" * 10_000)
    _, complaints = ReportReader(path).read()
    assert len(complaints) == MAX_COMPLAINTS + 1


def test_a_reader_that_starts_later_counts_lines_from_the_top(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    append(path, '{"step": 1, "loss": 0.5}\n')
    reader = ReportReader(path, path.stat().st_size)
    append(path, "bad\n")
    assert reader.read() == ([], ["reports.jsonl line 2: not JSON: 'bad'"])


def test_a_huge_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    lines = [f'{{"step": {step}, "loss": 0.5}}\n' for step in range(100_000)]
    append(path, "".join(lines))
    reports, _ = ReportReader(path).read_to_end()
    assert [report.step for report in reports] == list(range(100_000))


def test_one_look_takes_no_longer_than_a_program_that_never_stops_writing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "reports.jsonl"
    append(path, '{"step": 1, "loss": 0.5}\n' * 100_000)
    reader = ReportReader(path)
    looks = [len(reader.read()[0]) for _ in range(4)]
    assert looks[0] < sum(looks) == 100_000


def test_a_file_that_was_begun_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    reader = ReportReader(path)
    steps = []
    for step in (10, 2, 3, 400):
        path.write_text(f'{{"step": {step}, "loss": 0.5}}\n')
        steps += [report.step for report in reader.read()[0]]
    assert steps == [10, 2, 3, 400]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_complained_of_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "reports.jsonl"
    make(path)
    reader = ReportReader(path)
    complaints = reader.read()[1] + reader.read()[1] + reader.read_to_end()[1]
    assert len(complaints) == 1
    assert complaints[0].startswith("reports.jsonl cannot be read: I")


def read_output(path: Path, text: str, pattern: str | None = None) -> list[Report]:
    append(path, text)
    compiled = re.compile(pattern) if pattern is not None else None
    return OutputReader(path, "val_error", pattern=compiled).read_to_end()


def test_output_with_step_and_metric_is_read(tmp_path: Path) -> None:
    text = "loading\nstep=3 val_error=0.31, loss = 1e-3 name=adam\n"
    expected = [Report(3, {"val_error": 0.31, "loss": 0.001})]
    assert read_output(tmp_path / "output.log", text) == expected


def test_a_json_line_in_the_output_is_read(tmp_path: Path) -> None:
    text = '{"step": 3, "val_error": 0.31}\n{"other": 1}\n{broken\n'
    expected = [Report(3, {"val_error": 0.31})]
    assert read_output(tmp_path / "output.log", text) == expected


def test_without_a_step_the_metric_counts_as_the_next_step(tmp_path: Path) -> None:
    text = "val_error=0.5\nlr=0.1\nval_error=nan\n"
    steps = [report.step for report in read_output(tmp_path / "output.log", text)]
    assert steps == [1, 2]


def test_a_pattern_reads_what_it_names(tmp_path: Path) -> None:
    text = "epoch 4 | err 0.25\n"
    pattern = r"epoch (?P<step>\d+) \| err (?P<metric>\S+)"
    expected = [Report(4, {"val_error": 0.25})]
    assert read_output(tmp_path / "output.log", text, pattern) == expected


def test_the_only_group_of_a_pattern_is_the_metric(tmp_path: Path) -> None:
    text = "error: 0.5\nerror: 0.4\n"
    expected = [Report(1, {"val_error": 0.5}), Report(2, {"val_error": 0.4})]
    assert read_output(tmp_path / "output.log", text, r"error: (\S+)") == expected


def test_a_giant_line_of_output_is_left_out(tmp_path: Path) -> None:
    text = "val_error=" + "1" * 3_000_000 + "\nval_error=0.4\n"
    expected = [Report(1, {"val_error": 0.4})]
    assert read_output(tmp_path / "output.log", text) == expected


def test_of_too_much_output_the_end_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"val_error=0.5\n" + (b"y" * 63 + b"\n") * (BACKLOG_BYTES // 64))
    expected = [Report(1, {"val_error": 0.4})]
    assert read_output(path, "val_error=0.4\n") == expected
