"""Tables, times and numbers as a person reads them."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from typing import TextIO

import click
import pytest

from syncd.cli.ctl_output import (
    clean,
    counted,
    distance,
    field,
    fit,
    fold,
    how_long,
    say,
    table,
    took,
    when,
)
from syncd.cli.ctl_runs import Span
from syncd.cli.ctl_wait import TextView, exit_of, progress_text
from syncd.cli.syncctl import main

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "now"), (59, "in 59 s"), (-180, "3 min ago"), (7_300, "in 2 h"), (-90_000, "1 d ago")],
)
def test_distances_are_in_the_largest_fitting_unit(seconds: float, text: str) -> None:
    assert distance(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(59, "59 s"), (2_400, "40 min"), (7_199, "119 min"), (86_400, "1 d")]
)
def test_spans(seconds: float, text: str) -> None:
    assert how_long(seconds) == text


def test_a_time_is_local_with_its_zone_and_how_far_away() -> None:
    moment = NOW - timedelta(minutes=3)
    local = moment.astimezone()
    assert when(moment.isoformat(), NOW) == f"{local:%H:%M %Z}, 3 min ago"
    assert "28 Jan" in when((NOW - timedelta(days=32)).isoformat(), NOW)
    assert when(None, NOW) == "never"


def test_columns_give_room_from_the_widest_down_to_their_longest_word() -> None:
    assert fit([4, 10, 120], [4, 5, 20], 80) == [4, 10, 62]
    assert fit([4, 60, 60], [4, 9, 9], 80) == [4, 36, 36]
    assert fit([4, 60, 60], [4, 50, 9], 80) == [4, 50, 22]


def test_the_last_columns_leave_a_table_that_is_too_narrow() -> None:
    assert fit([8, 8, 8], [8, 8, 8], 20) == [8, 8]
    assert fit([8, 30, 8], [8, 30, 8], 20) == [8]
    assert fit([40], [30], 20) == [40], "one column stays, whatever its width"


def test_a_long_line_folds_under_its_text_and_never_inside_a_word() -> None:
    line = "  01 Mar 06:00 UTC  The buyer placed the order OD-123456789012345678901234567890 here."
    lines = fold(line, 50)
    assert lines[0].startswith("  01 Mar 06:00 UTC  The buyer")
    assert all(part.startswith(" " * 20) for part in lines[1:])
    assert "OD-123456789012345678901234567890" in [word for part in lines for word in part.split()]
    assert " ".join(" ".join(lines).split()) == " ".join(line.split())
    assert fold("short", 50) == ["short"]


def test_a_table_on_a_narrow_terminal_breaks_no_word() -> None:
    rows = [{"order": "OD-1234567890", "note": "a note of several words that goes on for long",
             "state": "RETURN_EXPECTED"}]  # fmt: skip
    columns = [("ORDER", field("order")), ("NOTE", field("note")), ("STATE", field("state"))]
    for width in (60, 40, 30, 20):
        text = on_terminal(width, lambda: table(columns, rows, empty=""))
        words = text.split()
        assert "OD-1234567890" in words
        assert "RETURN_EXPECTED" in words
        assert max(map(len, text.splitlines())) <= width + (width < 30) * 10, text
    assert len(piped(lambda: table(columns, rows, empty="")).splitlines()) == 2


def test_a_line_folds_on_a_terminal_and_never_in_a_pipe() -> None:
    line = "  06:00 UTC  The order came into the book from a file, and it has one piece now."
    folded = on_terminal(60, lambda: say(line)).splitlines()
    assert len(folded) == 2
    assert folded[1].startswith(" " * 13)
    assert piped(lambda: say(line)) == line + "\n"


def on_terminal(width: int, show: Callable[[], None]) -> str:
    """What ``show`` prints where stdout is a terminal of this width."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        _printing_to(stream, show, {"COLUMNS": str(width), "NO_COLOR": "1"})
    parts = []
    with suppress(OSError):  # the end of a terminal is an error
        while part := os.read(ours, 65536):
            parts.append(part)
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n")


def piped(show: Callable[[], None]) -> str:
    stream = io.StringIO()
    _printing_to(stream, show, {"COLUMNS": "20"})
    return stream.getvalue()


def _printing_to(stream: TextIO, show: Callable[[], None], env: dict[str, str]) -> None:
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        with redirect_stdout(stream), click.Context(main):
            show()
            stream.flush()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def test_control_characters_become_visible() -> None:
    assert clean("a\x1b[2Jb\u202ec\nd") == "a\ufffd[2Jb\ufffdc\nd"


def test_only_numbers_that_are_not_zero_are_told() -> None:
    assert counted({"fetched": 3, "new": 0, "applied": 2}) == "3 fetched, 2 applied"
    assert counted({"fetched": 3, "applied": 2}, ("applied",)) == "2 applied"


def test_a_field_reads_lists_and_nothing() -> None:
    assert field("a")({"a": ["x", "y"]}) == "x, y"
    assert field("a")({"a": None}) == ""


def test_a_run_that_goes_on_has_taken_the_time_until_now() -> None:
    begun = (NOW - timedelta(seconds=5)).isoformat()
    assert took({"started_at": begun, "ended_at": None}, NOW) == "5 s"
    assert took({"started_at": None, "ended_at": None}, NOW) == ""


def test_time_spans_need_a_unit() -> None:
    span = Span()
    assert span.convert("1h30m", None, None) == 5_400
    for wrong in ("5", "", "m", "1.5h", "5 m"):
        with pytest.raises(Exception, match="no time span"):
            span.convert(wrong, None, None)


def test_progress_shows_pages_changes_and_rate() -> None:
    event = {"event": "progress", "doing": "returns", "pages": 2, "fetched": 80}
    assert progress_text(event, 4.0) == "returns, 2 pages, 80 changes, 20/s"
    assert progress_text(event, 0) == "returns, 2 pages, 80 changes"


def test_progress_as_text_comes_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, 2.5, 3.0, 5.0]).__next__
    view = TextView("run 7", clock)
    for pages in range(4):
        view.show({"event": "progress", "doing": "orders", "pages": pages, "fetched": 0})
    assert capsys.readouterr().err.splitlines() == [
        "run 7: orders, 1 pages, 0 changes",
        "run 7: orders, 3 pages, 0 changes",
    ]


@pytest.mark.parametrize(
    ("state", "counts", "code"),
    [
        ("OK", {}, 0),
        ("OK", {"quarantined": 1}, 1),
        ("OK", {"refused": 2}, 1),
        ("PARTIAL", {}, 1),
        ("GATED", {"quarantined": 1}, 6),
    ],
)
def test_a_run_with_rows_that_could_not_be_read_has_not_gone_well(
    state: str, counts: dict[str, int], code: int
) -> None:
    run = {"state": state, "counts": counts, "ended_at": "2026-03-01T06:00:00Z"}
    assert exit_of(run) == code
    assert exit_of({**run, "ended_at": None}) == 7
