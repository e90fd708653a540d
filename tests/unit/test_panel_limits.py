"""A call ends in time and within its size, whatever the panel does; and keeps its pace."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import ssl
import threading
import time
import zlib
from pathlib import Path

import pytest
from msgspec import Struct

from syncd._pace import RECOVERY_SECONDS, Bucket, Buckets
from syncd.clock import HandClock, SystemClock
from syncd.errors import PanelAnswer, PanelBusy, PanelError, Stopped
from syncd.hookspecs import Pace
from syncd.panel import Limits
from tests.unit.wire import NOON, Reply, Wire, panel_at, said

CERTIFICATE = Path(__file__).with_name("loopback.pem")


class Ok(Struct):
    ok: bool


SHORT = Limits(connect=0.4, read=0.4, total=0.8, retries=0)


def seconds_until_given_up(url: str, limits: Limits = SHORT, ca: str | None = None) -> float:
    """Real seconds until the call fails with PanelBusy for being late."""
    panel = panel_at(url, clock=SystemClock(), limits=limits, ca_bundle=ca)
    start = time.monotonic()
    with pytest.raises(PanelBusy) as caught:
        panel.get("/x", shape=Ok)
    assert caught.value.code in ("panel_timeout", "panel_no_connection")
    return time.monotonic() - start


def tls_server() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@pytest.mark.parametrize("tls", [False, True])
def test_fault_A17_a_drip_of_single_bytes_ends_at_the_total_deadline(tls: bool) -> None:
    with Wire([Reply(drip=0.03)], tls=tls_server() if tls else None) as wire:
        seconds = seconds_until_given_up(wire.url, ca=str(CERTIFICATE))
    assert 0.7 <= seconds < 1.8


def test_fault_A17_a_dripping_body_ends_too() -> None:
    with Wire([said(list(range(3000)), drip=0.00001)]) as wire:
        limits = Limits(connect=1, read=1, total=0.3, retries=0)
        assert seconds_until_given_up(wire.url, limits) < 1.3


@pytest.mark.parametrize("tls", [False, True])
def test_fault_A18_a_panel_that_never_answers(tls: bool) -> None:
    with Wire([Reply(hang=True)], tls=tls_server() if tls else None) as wire:
        seconds = seconds_until_given_up(wire.url, ca=str(CERTIFICATE))
    assert 0.3 <= seconds < 1.4


def test_fault_A18_a_tls_handshake_that_never_comes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        seconds = seconds_until_given_up(f"https://127.0.0.1:{silent.getsockname()[1]}")
    assert 0.3 <= seconds < 1.8


def test_fault_A18_a_panel_that_never_accepts() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        seconds = seconds_until_given_up(f"http://127.0.0.1:{listener.getsockname()[1]}")
        for filler in fillers:
            filler.close()
    assert 0.3 <= seconds < 1.8


def test_fault_A18_a_hanging_answer_is_left_at_a_stop() -> None:
    stop = threading.Event()
    with Wire([Reply(hang=True)]) as wire:
        panel = panel_at(wire.url, clock=SystemClock(), stop=stop)
        timer = threading.Timer(0.2, stop.set)
        timer.start()
        start = time.monotonic()
        with pytest.raises(Stopped):
            panel.get("/x", shape=Ok)
        timer.join(5)
    assert time.monotonic() - start < 1.5


def test_a_slow_answer_within_its_limits_is_taken() -> None:
    with Wire([Reply(drip=0.002)]) as wire:
        limits = Limits(connect=1, read=1, total=20, retries=0)
        assert panel_at(wire.url, clock=SystemClock(), limits=limits).get("/x", shape=Ok).ok


def test_fault_A26_a_certificate_that_we_do_not_trust_is_refused() -> None:
    with Wire(tls=tls_server()) as wire:
        with pytest.raises(PanelAnswer, match="certificate") as caught:
            panel_at(wire.url, clock=SystemClock()).get("/x", shape=Ok)
        assert wire.seen == []
    assert caught.value.code == "panel_certificate"


def test_tls_works_with_a_certificate_that_is_given() -> None:
    with Wire(tls=tls_server()) as wire:
        panel = panel_at(wire.url, clock=SystemClock(), ca_bundle=str(CERTIFICATE))
        assert panel.get("/x", shape=Ok).ok
        assert panel.get("/x", shape=Ok).ok


# -- size -----------------------------------------------------------------------------------

SMALL = Limits(max_bytes=100_000)


def too_large(reply: Reply) -> None:
    with Wire([reply]) as wire:
        with pytest.raises(PanelError) as caught:
            panel_at(wire.url, limits=SMALL).get("/x", shape=Ok)
        assert len(wire.seen) == 1
    assert caught.value.code == "panel_too_large"
    assert "100000 bytes" in str(caught.value)


def packed(body: bytes, how: str = "gzip") -> Reply:
    data = gzip.compress(body) if how == "gzip" else zlib.compress(body)
    return Reply(body=data, headers={"Content-Encoding": how})


def test_fault_A19_a_length_over_the_limit_is_refused_unread() -> None:
    too_large(Reply(headers={"Content-Length": "200000000"}))


def test_fault_A19_a_body_without_a_length_is_cut_at_the_limit() -> None:
    too_large(Reply(body=b" " * 300_000, headers={"Content-Length": "", "Connection": "close"}))


def test_fault_A19_a_small_bomb_is_refused() -> None:
    too_large(packed(b" " * 200_000))


def test_fault_A19_a_gigabyte_bomb_does_not_fill_the_memory() -> None:
    pack = zlib.compressobj(9, wbits=31)
    head, middle = (
        pack.compress(b" " * (1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    bomb = head + middle * 1023  # each piece stands alone, so it may be repeated
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reply = Reply(body=bomb, headers={"Content-Encoding": "gzip"})
    with Wire([reply]) as wire, pytest.raises(PanelAnswer) as caught:
        panel_at(wire.url, limits=Limits(max_bytes=4 << 20)).get("/x", shape=Ok)
    assert caught.value.code == "panel_too_large"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 30 * 1024  # KiB


@pytest.mark.parametrize("how", ["gzip", "deflate"])
@pytest.mark.parametrize("size", [1, 99_000])
def test_a_packed_answer_is_unpacked(how: str, size: int) -> None:
    body = json.dumps({"ok": True, "x": "y" * (size // 2)}).encode()
    with Wire([packed(body, how)]) as wire:
        assert panel_at(wire.url, limits=SMALL).get("/x", shape=bytes) == body


@pytest.mark.parametrize("keep", [0, 5, 30])
def test_fault_A09_a_packed_answer_that_is_cut_is_asked_for_again(keep: int) -> None:
    whole = packed(b'{"ok": true, "list": [1, 2, 3]}')
    half = Reply(body=whole.body[:keep], headers=whole.headers)
    with Wire([half, whole]) as wire:
        assert panel_at(wire.url).get("/x", shape=Ok).ok
        assert len(wire.seen) == 2


def test_a_packed_answer_that_is_no_pack_is_refused() -> None:
    reply = Reply(headers={"Content-Encoding": "gzip"})
    with Wire([reply]) as wire, pytest.raises(PanelAnswer, match="broken") as caught:
        panel_at(wire.url).get("/x", shape=Ok)
    assert caught.value.code == "panel_malformed"


def test_a_packing_that_was_not_asked_for_is_refused() -> None:
    reply = Reply(headers={"Content-Encoding": "br"})
    with Wire([reply]) as wire, pytest.raises(PanelAnswer, match="'br'"):
        panel_at(wire.url).get("/x", shape=Ok)


# -- pace -----------------------------------------------------------------------------------


def test_calls_keep_the_pace_of_their_class() -> None:
    clock = HandClock(NOON)
    paces = {"slow": Pace(per_second=0.5, burst=2), "default": Pace(per_second=10)}
    with Wire() as wire:
        panel = panel_at(wire.url, clock=clock, paces=paces)
        for _ in range(2):
            panel.get("/x", shape=Ok, pace="slow")
        assert clock.monotonic() == 0
        panel.get("/x", shape=Ok, pace="slow")
        assert clock.monotonic() == pytest.approx(2)
        panel.get("/x", shape=Ok, pace="another")
        panel.get("/x", shape=Ok)
        assert clock.monotonic() == pytest.approx(2.1)


def test_a_panel_may_correct_the_pace_in_a_header() -> None:
    clock = HandClock(NOON)
    paces = {"orders": Pace(per_second=1.0, header="X-Rate"), "default": Pace(per_second=1.0)}
    with Wire([Reply(headers={"x-rate": "0.1"}), Reply(), Reply(headers={"x-rate": "9"})]) as wire:
        panel = panel_at(wire.url, clock=clock, paces=paces)
        panel.get("/x", shape=Ok, pace="orders")
        assert panel.pace_seconds("orders", 3) == pytest.approx(30)
        panel.get("/x", shape=Ok, pace="orders")
        assert clock.monotonic() == pytest.approx(10)
        panel.get("/x", shape=Ok)
    assert panel.pace_seconds("default", 3) == pytest.approx(3), "it asked for no header"


@pytest.mark.parametrize("rate", ["0", "-1", "inf", "nan", "", "soon"])
def test_a_senseless_correction_is_ignored(rate: str) -> None:
    buckets = Buckets({"a": Pace(per_second=3.0, header="X-Rate")}, 0.0)
    buckets.heed("a", {"X-Rate": rate}, 0.0)
    bucket = buckets.of("a")
    assert bucket is not None
    assert bucket.rate == 3


def test_a_stated_rate_that_stays_the_same_does_not_end_a_slow_down() -> None:
    buckets = Buckets({"a": Pace(per_second=4.0, header="X-Rate")}, 0.0)
    bucket = buckets.of("a")
    assert bucket is not None
    bucket.slow_down(0.0)
    buckets.heed("a", {"X-Rate": "4.0"}, 0.0)
    assert bucket.rate == 2


def test_the_pace_goes_on_from_one_panel_to_the_next() -> None:
    clock = HandClock(NOON)
    buckets = Buckets({"default": Pace(per_second=0.1, burst=2)}, 0.0)
    with Wire() as wire:
        for _ in range(3):
            panel_at(wire.url, clock=clock, buckets=buckets).get("/x", shape=Ok)
    assert clock.monotonic() == pytest.approx(10)


def test_a_plugin_may_wait_for_the_panel_but_not_for_long() -> None:
    clock = HandClock(NOON)
    panel = panel_at("http://127.0.0.1:1", clock=clock)
    panel.wait(20)
    assert clock.monotonic() == 20
    panel.wait(86_400)
    assert clock.monotonic() == 80


def test_a_stop_ends_a_plugins_wait() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        panel_at("http://127.0.0.1:1", stop=stop).wait(20)


def test_a_429_lowers_the_pace() -> None:
    clock = HandClock(NOON)
    paces = {"default": Pace(per_second=1.0, burst=5)}
    with Wire([Reply(status=429), Reply()]) as wire:
        panel = panel_at(wire.url, clock=clock, paces=paces, jitter=0.0)
        panel.get("/x", shape=Ok)
        start = clock.monotonic()
        panel.get("/x", shape=Ok)
    assert start == pytest.approx(2)
    assert clock.monotonic() - start == pytest.approx(2, rel=0.02)


def test_a_bucket_slows_down_has_a_floor_and_recovers_slowly() -> None:
    bucket = Bucket(8.0, 1, 0.0)
    bucket.slow_down(0.0)
    assert bucket.rate == 4
    for _ in range(20):
        bucket.slow_down(0.0)
    assert bucket.rate == 8 / 64
    bucket.take(RECOVERY_SECONDS / 2)
    assert bucket.rate == pytest.approx(4 + 8 / 64)
    bucket.take(RECOVERY_SECONDS * 2)
    assert bucket.rate == 8


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_senseless_pace_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="pace"):
        Bucket(rate, burst, 0.0)


def test_a_stop_ends_the_wait_for_the_pace() -> None:
    stop = threading.Event()
    paces = {"default": Pace(per_second=0.001)}
    with Wire() as wire:
        panel = panel_at(wire.url, clock=SystemClock(), stop=stop, paces=paces)
        panel.get("/x", shape=Ok)
        threading.Timer(0.1, stop.set).start()
        with pytest.raises(Stopped):
            panel.get("/x", shape=Ok)
        assert len(wire.seen) == 1
