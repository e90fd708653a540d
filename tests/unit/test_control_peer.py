"""Who may do what over the control socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from syncd.control.peer import NOBODY, UNKNOWN, Peer, actor_of, may_write, peer_of
from tests.controlkit import House, Impatient, running

# The runs of the control kit fetch nothing: what they counted is made up.
pytestmark = pytest.mark.unsound_book("ledger_a_runs_counts_are_the_journals_marks")
STRANGER = Peer(pid=4242, uid=4711, gid=4711)


@pytest.mark.parametrize(
    ("uid", "operators", "allowed"),
    [
        (0, (), True),
        (990, (), True),
        (1000, (), False),
        (1000, (1000,), True),
        (1001, (1000,), False),
        (NOBODY, (), False),
        (NOBODY, (NOBODY,), False),
    ],
    ids=["root", "own user", "other", "operator", "no operator", "nobody", "nobody as operator"],
)
def test_who_may_change_things(uid: int, operators: tuple[int, ...], allowed: bool) -> None:
    assert may_write(uid, own_uid=990, operators=operators) is allowed


def test_a_user_nobody_knows_may_not_even_be_the_daemons_own() -> None:
    assert not may_write(NOBODY, own_uid=NOBODY, operators=())


def test_the_peer_of_a_socket_is_this_process() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_of(ours) == Peer(os.getpid(), os.geteuid(), os.getegid())


def test_what_is_no_unix_socket_has_an_unknown_peer() -> None:
    with socket.socket(socket.AF_INET) as other:
        other.close()
        assert peer_of(other) == UNKNOWN
    assert peer_of(None) == UNKNOWN


def test_the_actor_is_named_where_the_name_is_known() -> None:
    assert actor_of(STRANGER, lambda _uid: "asha") == "uid 4711 (asha)"
    assert actor_of(STRANGER, lambda _uid: "") == "uid 4711"


class FromStranger(Impatient):
    """As if another user connected."""

    who = staticmethod(lambda _socket: STRANGER)


def test_G01_another_user_may_look_but_not_change(tmp_path: Path) -> None:
    with running(tmp_path, protocol=FromStranger) as house:
        assert house.ask("GET", "/v1/status")[0] == 200
        status, fields, problem = house.ask("POST", "/v1/accounts/shop/pause", {})
        assert (status, problem["code"]) == (403, "not_an_operator")
        assert fields["content-type"] == "application/problem+json"
        assert "uid 4711" in problem["detail"]
        assert problem["do"]
        assert house.rows("SELECT state FROM account") == [("CONNECTED",)]


def test_an_operator_of_the_configuration_may_change_things_after_a_reload(tmp_path: Path) -> None:
    with running(tmp_path, protocol=FromStranger) as house:
        operators = house.config.model_copy(update={"operators": frozenset({STRANGER.uid})})
        house.service.adopt(operators)
        assert house.ask("POST", "/v1/accounts/shop/pause", {})[0] == 200
        reason = house.rows("SELECT state_reason FROM account")[0][0]
        assert reason == "paused by uid 4711"


def test_another_users_large_body_is_not_read_at_all(tmp_path: Path) -> None:
    with running(tmp_path, protocol=FromStranger) as house:
        head = b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n"
        with house.connect() as connection:
            connection.sendall(head)
            assert connection.recv(65536).startswith(b"HTTP/1.1 403 ")


def test_the_daemon_names_who_asked_in_its_runs(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        _, _, asked = house.ask("POST", "/v1/runs", {"account": "shop"})
        house.await_run(asked["run_id"])
        run: House = house
        assert run.service.run(asked["run_id"]).actor.startswith(f"uid {os.geteuid()}")
