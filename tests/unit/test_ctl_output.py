"""Tables, times and numbers as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncd.cli.ctl_output import clean, counted, distance, field, fit, how_long, took, when
from syncd.cli.ctl_runs import Span
from syncd.cli.ctl_wait import TextView, progress_text

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


def test_columns_give_room_from_the_widest_down_to_eight() -> None:
    assert fit([4, 10, 120], 80) == [4, 10, 62]
    assert fit([4, 60, 60], 80) == [4, 36, 36]
    assert fit([8, 8, 8], 10) == [8, 8, 8]


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
