"""Tokens in use: fetched when needed, renewed once, never lost to a passing fault."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import Struct

from syncd.clock import HandClock, SystemClock
from syncd.errors import PanelAnswer, PanelBusy, PanelGone, PanelRefused
from syncd.panel import Limits, Panel
from syncd.tokens import FileTokens, MemoryTokens, Token
from tests.unit.wire import NOON, Reply, Seen, Wire, panel_at, said


class Ok(Struct):
    ok: bool


class Grant(Struct):
    access_token: str
    expires_in: float
    refresh_token: str = ""


def authorise(panel: Panel, old: Token | None) -> Token:
    """Ask the token endpoint, as a plugin does; it must not ask itself for a token."""
    grant = panel.get(
        "/token",
        shape=Grant,
        params={"refresh_token": old.refresh_token if old else "first"},
        basic=("app", "pass-word"),
        authorise=authorise,
    )
    return panel.new_token(
        grant.access_token, expires_in=grant.expires_in, refresh_token=grant.refresh_token
    )


class Door:
    """A panel with a token endpoint. Each grant has a number; ``good`` is what it accepts."""

    def __init__(self, *, life: float = 3600.0) -> None:
        self.life = life
        self.granted = 0
        self.good: set[str] = set()
        self.grant: Reply | None = None
        self.once = False  # a refresh token may be used once
        self.spent: set[str] = set()
        self._guard = threading.Lock()

    def __call__(self, request: Seen) -> Reply:
        with self._guard:
            if request.path.startswith("/token"):
                return self._grant(request)
            good = request.headers.get("authorization", "") in {f"Bearer {x}" for x in self.good}
            return Reply() if good else said({"error": "invalid_token"}, status=401)

    def _grant(self, request: Seen) -> Reply:
        key = request.path.partition("=")[2]
        if self.grant is not None:
            return self.grant
        if self.once and key in self.spent:
            return said({"error": "invalid_grant"}, status=400)
        self.spent.add(key)
        self.granted += 1
        self.good = {f"access-{self.granted}"}
        return said(
            {
                "access_token": f"access-{self.granted}",
                "expires_in": self.life,
                "refresh_token": f"refresh-{self.granted}",
            }
        )


def token_calls(wire: Wire) -> int:
    return sum(path.startswith("/token") for path in wire.paths)


def test_a_token_is_fetched_once_stored_and_used() -> None:
    tokens = MemoryTokens()
    with Wire(Door()) as wire:
        panel = panel_at(wire.url, tokens=tokens)
        for _ in range(3):
            assert panel.get("/x", shape=Ok, authorise=authorise).ok
    assert wire.paths == ["/token?refresh_token=first", "/x", "/x", "/x"]
    assert wire.seen[0].headers["authorization"].startswith("Basic ")
    assert wire.seen[1].headers["authorization"] == "Bearer access-1"
    stored = tokens.load("fk-main")
    assert stored is not None
    assert stored.access_token == "access-1"
    assert stored.expires_at == NOON + timedelta(hours=1)


def test_a_stored_token_is_used_after_a_restart(tmp_path: Path) -> None:
    with Wire(Door()) as wire:
        for _ in range(2):
            panel = panel_at(wire.url, tokens=FileTokens(tmp_path))
            assert panel.get("/x", shape=Ok, authorise=authorise).ok
    assert token_calls(wire) == 1


def test_a_token_may_stand_in_another_header() -> None:
    def own_header(panel: Panel, old: Token | None) -> Token:
        return panel.new_token("access-9", expires_in=60, header="X-Amz-Access-Token")

    with Wire() as wire:
        panel_at(wire.url).get("/x", shape=Ok, authorise=own_header)
    assert wire.seen[0].headers["x-amz-access-token"] == "access-9"
    assert "authorization" not in wire.seen[0].headers


def test_a_token_may_stand_in_the_query_and_is_replaced_there() -> None:
    granted = iter(["first-token", "second-token"])

    def in_query(panel: Panel, old: Token | None) -> Token:
        return panel.new_token(next(granted), expires_in=3600, param="authtoken")

    with Wire([said({}, status=401), Reply(), Reply()]) as wire:
        panel = panel_at(wire.url)
        panel.get("/x", shape=Ok, params={"limit": 5}, authorise=in_query)
        panel.get("/y", shape=Ok, authorise=in_query)
    assert [seen.path for seen in wire.seen] == [
        "/x?limit=5&authtoken=first-token",
        "/x?limit=5&authtoken=second-token",
        "/y?authtoken=second-token",
    ]
    assert not any("token" in seen.headers.get("authorization", "") for seen in wire.seen)


def test_a_token_in_the_query_is_in_no_error() -> None:
    def in_query(panel: Panel, old: Token | None) -> Token:
        return panel.new_token("canary-token", expires_in=3600, param="authtoken")

    with Wire([said({}, status=404)]) as wire, pytest.raises(PanelGone) as caught:
        panel_at(wire.url).get("/x", shape=Ok, authorise=in_query)
    assert "canary-token" not in str(caught.value)
    assert "authtoken=***" in str(caught.value)


def test_a_token_is_renewed_a_minute_before_its_end() -> None:
    clock = HandClock(NOON)
    with Wire(Door(life=600)) as wire:
        panel = panel_at(wire.url, clock=clock)
        panel.get("/x", shape=Ok, authorise=authorise)
        clock.advance(timedelta(seconds=539))
        panel.get("/x", shape=Ok, authorise=authorise)
        assert token_calls(wire) == 1
        clock.advance(timedelta(seconds=2))
        panel.get("/x", shape=Ok, authorise=authorise)
    assert token_calls(wire) == 2
    assert wire.paths[3] == "/token?refresh_token=refresh-1"


def test_fault_E01_a_token_that_ends_between_pages_is_renewed_and_the_page_repeated() -> None:
    door = Door()
    with Wire(door) as wire:
        panel = panel_at(wire.url)
        for page in (1, 2, 3):
            panel.get(f"/x/{page}", shape=Ok, authorise=authorise)
        door.good = set()
        panel.post("/x/4", shape=Ok, body={"page": 4}, authorise=authorise)
        panel.get("/x/5", shape=Ok, authorise=authorise)
    assert [path.partition("?")[0] for path in wire.paths[1:]] == [
        "/x/1", "/x/2", "/x/3", "/x/4", "/token", "/x/4", "/x/5",
    ]  # fmt: skip
    assert wire.seen[4].body == wire.seen[6].body == b'{"page":4}'


def test_fault_E02_a_fresh_token_that_is_refused_is_renewed_once_and_no_more() -> None:
    def shut(request: Seen) -> Reply:
        return door(request) if request.path.startswith("/token") else Reply(status=401)

    door = Door()
    with Wire(shut) as wire:
        panel = panel_at(wire.url)
        for _ in range(3):
            with pytest.raises(PanelRefused) as caught:
                panel.get("/x", shape=Ok, authorise=authorise)
        assert caught.value.code == "account_auth_failed"
        assert token_calls(wire) == 2
    assert wire.paths.count("/x") == 4


def test_fault_E02_a_refused_token_may_be_renewed_again_after_a_minute() -> None:
    clock = HandClock(NOON)
    door = Door()
    with Wire(door) as wire:
        panel = panel_at(wire.url, clock=clock)
        for _ in range(3):
            panel.get("/x", shape=Ok, authorise=authorise)
            door.good = set()
            clock.advance(timedelta(seconds=61))
    assert token_calls(wire) == 3


def test_fault_E03_two_runs_renew_at_once_and_the_panel_sees_one_refresh(tmp_path: Path) -> None:
    door = Door()
    door.once = True
    failures: list[BaseException] = []

    def work(url: str) -> None:
        panel = panel_at(url, clock=SystemClock(), tokens=FileTokens(tmp_path))
        try:
            panel.get("/x", shape=Ok, authorise=authorise)
            start.wait(30)
            panel.get("/x", shape=Ok, authorise=authorise)
        except BaseException as error:
            failures.append(error)

    def expire() -> None:
        door.good = set()

    start = threading.Barrier(4, action=expire)
    with Wire(door) as wire:
        threads = [threading.Thread(target=work, args=(wire.url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert token_calls(wire) == 2
    assert door.granted == 2


def test_fault_E03_the_loser_reads_the_store_before_it_calls_the_grant_dead() -> None:
    tokens = MemoryTokens()
    clock = HandClock(NOON)

    def elsewhere(panel: Panel, old: Token | None) -> Token:
        # Another machine, which does not heed our lock, was quicker.
        door.good = {"access-elsewhere"}
        tokens.save("fk-main", panel.new_token("access-elsewhere", expires_in=3600))
        return authorise(panel, old)

    door = Door()
    with Wire(door) as wire:
        panel = panel_at(wire.url, clock=clock, tokens=tokens)
        panel.get("/x", shape=Ok, authorise=authorise)
        door.good = set()
        door.grant = said({"error": "invalid_grant"}, status=400)
        assert panel.get("/x", shape=Ok, authorise=elsewhere).ok
    stored = tokens.load("fk-main")
    assert stored is not None
    assert stored.access_token == "access-elsewhere"


class _Broken(MemoryTokens):
    """A store whose disk is full."""

    def save(self, account: str, token: Token) -> None:
        raise OSError("disk full")


def test_fault_E04_a_token_that_cannot_be_stored_is_never_used() -> None:
    with Wire(Door()) as wire:
        panel = panel_at(wire.url, tokens=_Broken())
        with pytest.raises(OSError, match="disk full"):
            panel.get("/x", shape=Ok, authorise=authorise)
    assert wire.paths == ["/token?refresh_token=first"]


@pytest.mark.parametrize(
    ("status", "word"), [(400, "invalid_grant"), (401, "invalid_client"), (403, "access_denied")]
)
def test_fault_E04_a_dead_grant_is_told_clearly(status: int, word: str) -> None:
    door = Door()
    door.grant = said({"error": word, "error_description": "CANARY"}, status=status)
    told = pytest.raises(PanelRefused, match=f"{word}.*credentials")
    with Wire(door) as wire, told as caught:
        panel_at(wire.url).get("/x", shape=Ok, authorise=authorise)
    assert "CANARY" not in str(caught.value)
    assert caught.value.code == "account_auth_failed"
    assert len(wire.seen) == 1


@pytest.mark.parametrize(
    ("words", "grants"),
    [("The access token you provided has expired.", 2), ("The role is missing.", 1)],
)
def test_fault_E03_a_403_that_speaks_of_the_token_renews_it(words: str, grants: int) -> None:
    """Some panels say 403 of a dead token as well as of a missing role."""
    door = Door()

    def answer(request: Seen) -> Reply:
        if request.path.startswith("/token") or door.granted > 1:
            return door(request)
        return said({"errors": [{"code": "Unauthorized", "details": words}]}, status=403)

    with Wire(answer) as wire:
        panel = panel_at(wire.url)
        if grants == 2:
            assert panel.get("/x", shape=Ok, authorise=authorise).ok
        else:
            with pytest.raises(PanelRefused) as caught:
                panel.get("/x", shape=Ok, authorise=authorise)
            assert caught.value.code == "call_forbidden"
        assert token_calls(wire) == grants


@pytest.mark.parametrize("life", [0, -5, 1])
def test_fault_E07_a_token_that_seems_spent_at_birth_is_used_and_not_refetched(life: float) -> None:
    clock = HandClock(NOON)
    with Wire(Door(life=life)) as wire:
        panel = panel_at(wire.url, clock=clock)
        for _ in range(20):
            assert panel.get("/x", shape=Ok, authorise=authorise).ok
            clock.advance(timedelta(seconds=2))
        assert token_calls(wire) == 1
        clock.advance(timedelta(seconds=25))
        panel.get("/x", shape=Ok, authorise=authorise)
    assert token_calls(wire) == 2


@pytest.mark.parametrize("step", [timedelta(days=3650), timedelta(days=-3650)])
def test_fault_E07_a_step_of_the_wall_clock_neither_kills_nor_keeps_a_token(
    step: timedelta,
) -> None:
    clock = HandClock(NOON)
    with Wire(Door(life=3600)) as wire:
        panel = panel_at(wire.url, clock=clock)
        panel.get("/x", shape=Ok, authorise=authorise)
        clock.step(step)
        panel.get("/x", shape=Ok, authorise=authorise)
        assert token_calls(wire) == 1
        clock.advance(timedelta(seconds=3590))
        panel.get("/x", shape=Ok, authorise=authorise)
    assert token_calls(wire) == 2


FAULTS = [Reply(status=500), Reply(status=503), Reply(body=b"<html>"), Reply(reset=True)]


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_E08_a_fault_at_the_token_endpoint_keeps_the_old_token(fault: Reply) -> None:
    clock = HandClock(NOON)
    tokens = MemoryTokens()
    door = Door(life=600)
    with Wire(door) as wire:
        panel = panel_at(wire.url, clock=clock, tokens=tokens, limits=Limits(retries=0))
        panel.get("/x", shape=Ok, authorise=authorise)
        old = tokens.load("fk-main")
        door.grant = fault
        clock.advance(timedelta(seconds=545))  # within the margin, not yet spent
        for _ in range(5):
            assert panel.get("/x", shape=Ok, authorise=authorise).ok
        assert token_calls(wire) == 2  # not asked again with every page
        clock.advance(timedelta(seconds=61))
        with pytest.raises((PanelBusy, PanelAnswer)):
            panel.get("/x", shape=Ok, authorise=authorise)
    assert tokens.load("fk-main") == old


def test_fault_E08_a_refused_token_with_a_failing_endpoint_is_kept_in_the_store() -> None:
    tokens = MemoryTokens()
    door = Door()
    with Wire(door) as wire:
        panel = panel_at(wire.url, tokens=tokens)
        panel.get("/x", shape=Ok, authorise=authorise)
        old = tokens.load("fk-main")
        door.good, door.grant = set(), Reply(status=500)
        with pytest.raises(PanelBusy):
            panel.get("/x", shape=Ok, authorise=authorise)
    assert tokens.load("fk-main") == old
    assert old is not None


def test_a_refresh_that_may_have_arrived_is_not_sent_again() -> None:
    door = Door()
    door.grant = Reply(reset=True)
    with Wire(door) as wire:
        with pytest.raises(PanelBusy):
            panel_at(wire.url).get("/x", shape=Ok, authorise=authorise)
        assert len(wire.seen) == 1
        door.grant = Reply(status=503)
        with pytest.raises(PanelBusy):
            panel_at(wire.url).get("/x", shape=Ok, authorise=authorise)
        assert len(wire.seen) == 6


def test_a_token_without_a_type_stands_alone_in_the_header() -> None:
    with Wire() as wire:
        for token_type in ("bearer", ""):

            def grant(panel: Panel, old: Token | None, kind: str = token_type) -> Token:
                return panel.new_token("token-1", expires_in=3600, token_type=kind)

            panel_at(wire.url).get("/x", shape=Ok, authorise=grant)
    told = [seen.headers["authorization"] for seen in wire.seen]
    assert told == ["Bearer token-1", "token-1"]


def test_a_token_refused_inside_a_good_answer_is_renewed_once_a_minute() -> None:
    door = Door()
    with Wire(door) as wire:
        panel = panel_at(wire.url)
        panel.get("/x", shape=Ok, authorise=authorise)
        panel.renew_token(authorise)
        assert panel.get("/x", shape=Ok, authorise=authorise).ok
        with pytest.raises(PanelRefused, match="less than a minute ago"):
            panel.renew_token(authorise)
    assert door.granted == 2
    assert wire.seen[-1].headers["authorization"] == "Bearer access-2"
