"""Overload, faults and cut answers: what is tried again, after which wait, and what is not."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta

import pytest
from hypothesis import example, given, strategies as st
from msgspec import Struct

from syncd._retry import asked_wait, back_off
from syncd.clock import HandClock
from syncd.errors import PanelAnswer, PanelBusy, PanelError, Stopped
from syncd.panel import Limits, Panel
from tests.unit.wire import NOON, Reply, Told, Wire, panel_at, said


class Ok(Struct):
    ok: bool


def waited(reply: Reply, *, clock: HandClock | None = None, jitter: float = 0.5) -> float:
    """How long the panel waits before it tries again after one such answer."""
    clock = clock or HandClock(NOON)
    with Wire([reply, Reply()]) as wire:
        assert panel_at(wire.url, clock=clock, jitter=jitter).get("/x", shape=Ok).ok
        assert len(wire.seen) == 2
    return clock.monotonic()


def busy(reply: Reply) -> PanelBusy:
    """The error when every answer is this one."""
    with Wire([reply]) as wire, pytest.raises(PanelBusy) as caught:
        panel_at(wire.url).get("/x", shape=Ok)
    return caught.value


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_fault_A01_the_wait_is_never_less_than_asked(jitter: float) -> None:
    seconds = waited(Reply(status=429, headers={"Retry-After": "7"}), jitter=jitter)
    assert 7 <= seconds <= 8
    assert seconds == pytest.approx(7 + jitter)


@pytest.mark.parametrize("skew", [timedelta(hours=-3), timedelta(0), timedelta(days=3650)])
def test_fault_A02_a_date_is_reckoned_from_the_answers_own_date(skew: timedelta) -> None:
    theirs = NOON + skew
    until = (theirs + timedelta(seconds=20)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    reply = Reply(status=429, headers={"Retry-After": until}, date=theirs)
    assert waited(reply, jitter=0) == 20


def test_fault_A02_a_date_that_has_passed_asks_for_no_wait() -> None:
    until = (NOON - timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert waited(Reply(status=503, headers={"Retry-After": until}), jitter=0) == 0


def test_fault_A02_without_a_date_header_our_own_clock_serves() -> None:
    until = (NOON + timedelta(seconds=20)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    reply = Reply(status=429, headers={"Retry-After": until}, date=None)
    assert waited(reply, jitter=0) == 20


def test_fault_A03_without_a_wish_the_back_off_doubles_with_full_jitter_and_ends() -> None:
    told = Told()
    with Wire([Reply(status=429)]) as wire:
        panel = panel_at(wire.url, jitter=1.0, log=told, limits=Limits(retries=7))
        with pytest.raises(PanelBusy) as caught:
            panel.get("/x", shape=Ok)
        assert len(wire.seen) == 8
    assert told.waits == [1, 2, 4, 8, 16, 30, 30]
    assert caught.value.retry_after is None
    assert caught.value.code == "panel_busy"
    assert (panel.calls, panel.retries) == (8, 7)


def test_fault_A03_the_jitter_spreads_from_nothing_to_the_whole() -> None:
    assert back_off(3, 0.0) == 0
    assert back_off(3, 0.25) == 2
    assert back_off(1000, 1.0) == 30


@pytest.mark.parametrize("wish", ["", "abc", "-5", "1,5", "soon", "\u0663", "1e9", "0x10"])
def test_fault_A04_garbage_counts_as_absent(wish: str) -> None:
    assert asked_wait(wish, None, NOON) is None


@given(st.text(max_size=40), st.text(max_size=40))
@example("Tue, 01 Jul 2025 10:00:00 +999999999999", "Tue, 01 Jul 0001 10:00:00 +2300")
@example("Fri, 31 Dec 9999 23:59:59 -2300", "")
@example("Tue, 01 Jul 2025 10:00:00 GMT" + "0" * 5000, "\x00")
def test_fault_A04_no_header_is_a_crash(wish: str, date: str) -> None:
    seconds = asked_wait(wish, date, NOON)
    assert seconds is None or 0 <= seconds <= 86_400


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [("0", 0), ("86400", 86_400), ("999999999", 86_400), ("1.5", 1.5), (" 3 ", 3)],
)
def test_fault_A04_a_wish_is_kept_between_nothing_and_a_day(wish: str, seconds: float) -> None:
    assert asked_wait(wish, None, NOON) == seconds


def test_fault_A04_a_wish_longer_than_the_cap_ends_the_call_and_is_reported() -> None:
    clock = HandClock(NOON)
    with Wire([Reply(status=429, headers={"Retry-After": "86400"})]) as wire:
        with pytest.raises(PanelBusy) as caught:
            panel_at(wire.url, clock=clock).get("/x", shape=Ok)
        assert len(wire.seen) == 1
    assert caught.value.retry_after == 86_400
    assert clock.monotonic() == 0


def test_fault_A05_many_accounts_do_not_come_back_together() -> None:
    slots: dict[int, int] = {}
    for number in range(30):
        seconds = waited(
            Reply(status=429, headers={"Retry-After": "7"}), jitter=(number * 0.618034) % 1
        )
        slots[int(seconds * 10)] = slots.get(int(seconds * 10), 0) + 1
    assert len(slots) == 10
    assert max(slots.values()) <= 9


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("times", [1, 4])
def test_fault_A06_a_short_burst_is_outlived(status: int, times: int) -> None:
    with Wire([*[Reply(status=status)] * times, Reply()]) as wire:
        panel = panel_at(wire.url)
        assert panel.get("/x", shape=Ok).ok
        assert len(wire.seen) == times + 1
    assert panel.retries == times


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 499])
def test_fault_A06_a_long_burst_fails_the_call(status: int) -> None:
    with Wire([*[Reply(status=status)] * 8, Reply()]) as wire:
        with pytest.raises(PanelBusy, match=str(status)):
            panel_at(wire.url).get("/x", shape=Ok)
        assert len(wire.seen) == 5


def test_fault_A06_what_changes_the_panel_is_never_sent_twice() -> None:
    with Wire([Reply(status=503, headers={"Retry-After": "9"})]) as wire:
        with pytest.raises(PanelBusy) as caught:
            panel_at(wire.url).post("/x", shape=Ok, body={})
        assert len(wire.seen) == 1
    assert caught.value.retry_after == 9


def test_fault_A06_a_search_by_post_is_a_read() -> None:
    with Wire([Reply(status=503), Reply()]) as wire:
        assert panel_at(wire.url).post("/x", shape=Ok, body={"a": 1}, reads=True).ok
    assert wire.seen[0].body == wire.seen[1].body == b'{"a":1}'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_fault_A08_a_refused_connection() -> None:
    panel = panel_at(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(PanelBusy, match="refused") as caught:
        panel.get("/x", shape=Ok)
    assert caught.value.code == "panel_unreachable"
    assert panel.calls == 5


def test_fault_A08_a_host_without_an_address() -> None:
    panel = panel_at("https://panel.invalid", limits=Limits(retries=0))
    with pytest.raises(PanelBusy, match="no address") as caught:
        panel.get("/x", shape=Ok)
    assert caught.value.code == "panel_unknown_host"


def test_fault_A08_a_reset_connection() -> None:
    error = busy(Reply(reset=True))
    assert error.code == "panel_reset"
    with Wire([Reply(reset=True), Reply()]) as wire:
        assert panel_at(wire.url).get("/x", shape=Ok).ok


def test_fault_A08_a_write_is_not_repeated_on_a_broken_connection() -> None:
    with Wire([Reply(reset=True), Reply()]) as wire:
        with pytest.raises(PanelBusy):
            panel_at(wire.url).post("/x", shape=Ok, body={})
        assert len(wire.seen) == 1


LONG = {"ok": True, "list": list(range(5000))}


@pytest.mark.parametrize("cut", [0, 1, 100, 20_000])
def test_fault_A09_a_cut_body_is_refused_whole_and_asked_for_again(cut: int) -> None:
    assert busy(said(LONG, cut=cut)).code == "panel_cut"
    with Wire([said(LONG, cut=cut), said(LONG)]) as wire:
        assert panel_at(wire.url).get("/x", shape=Ok).ok
        assert len(wire.seen) == 2


def test_fault_A09_a_cut_chunked_body() -> None:
    chunked = {"Transfer-Encoding": "chunked", "Content-Length": ""}
    half = Reply(body=b'c\r\n{"ok": true, \r\n', headers=chunked, cut=99)
    whole = Reply(body=b'c\r\n{"ok": true}\r\n0\r\n\r\n', headers=chunked)
    assert busy(half).code in ("panel_cut", "panel_reset")
    with Wire([half, whole]) as wire:
        assert panel_at(wire.url).get("/x", shape=Ok).ok


def test_fault_A10_json_that_is_not_whole_is_asked_for_once_more() -> None:
    half = Reply(body=b'{"ok": tr')
    with Wire([half, Reply()]) as wire:
        assert panel_at(wire.url).get("/x", shape=Ok).ok
    with Wire([half]) as wire:
        with pytest.raises(PanelAnswer, match="begins") as caught:
            panel_at(wire.url).get("/x", shape=Ok)
        assert len(wire.seen) == 2
    assert caught.value.code == "panel_malformed"


@pytest.mark.parametrize("reply", [Reply(status=429), Reply(status=500), Reply(reset=True)])
def test_a_stop_ends_the_waiting(reply: Reply) -> None:
    stop = threading.Event()

    def script(_: object) -> Reply:
        stop.set()
        return reply

    with Wire(script) as wire:
        with pytest.raises(Stopped):
            panel_at(wire.url, stop=stop).get("/x", shape=Ok)
        assert len(wire.seen) == 1


def test_nothing_is_sent_after_a_stop() -> None:
    stop = threading.Event()
    stop.set()
    with Wire() as wire:
        with pytest.raises(Stopped):
            panel_at(wire.url, stop=stop).get("/x", shape=Ok)
        assert wire.seen == []


def test_each_retry_is_told_once() -> None:
    told = Told()
    with Wire([Reply(status=503), Reply(status=500), Reply()]) as wire:
        panel_at(wire.url, log=told).get("/x", shape=Ok, params={"q": "CANARY"})
    events = [event for event, _ in told.lines]
    assert events == ["panel_retry", "panel_retry"]
    assert told.lines[0][1] == {
        "account": "fk-main",
        "method": "GET",
        "path": "/x?q=***",
        "code": "panel_busy",
        "status": 503,
        "attempt": 1,
        "wait": 0.5,
    }


def test_an_error_of_the_transport_is_not_dragged_along() -> None:
    panel: Panel = panel_at(f"http://127.0.0.1:{free_port()}", limits=Limits(retries=0))
    with pytest.raises(PanelError) as caught:
        panel.get("/x", shape=Ok, params={"key": "CANARY"})
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
