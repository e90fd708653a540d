"""Clients that are slow, large, rude, gone, many or early."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from syncd.control.limits import MOST_HEAD
from tests.controlkit import WAIT, House, Impatient, parse, read_all, running

# The runs of the control kit fetch nothing: what they counted is made up.
pytestmark = pytest.mark.unsound_book("ledger_a_runs_counts_are_the_journals_marks")
TRIGGER = {"account": "shop", "kinds": ["dispatched"]}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running(tmp_path_factory.mktemp("c"), protocol=Impatient) as house:
        yield house


def well(house: House) -> bool:
    return house.ask("GET", "/version")[0] == 200


def test_G03_a_line_without_end_is_cut_off(house: House) -> None:
    status, fields, problem = parse(house.raw(b"GET /" + b"a" * (10 * 1024 * 1024)))
    assert (status, problem["code"]) == (400, "not_http")
    assert fields["content-type"] == "application/problem+json"
    assert well(house)


def test_G03_a_head_that_is_too_large_is_refused(house: House) -> None:
    status, _, problem = house.ask("GET", "/version", X="a" * MOST_HEAD)
    assert (status, problem["code"]) == (431, "head_too_large")


@pytest.mark.parametrize(
    "start",
    [b"", b"GET /version HT", b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_G03_a_request_that_does_not_come_to_its_end_is_dropped(house: House, start: bytes) -> None:
    begun = time.monotonic()
    status, _, problem = parse(house.raw(start))
    assert (status, problem["code"]) == (408, "too_slow")
    assert time.monotonic() - begun < WAIT / 2


def test_G03_one_byte_now_and_then_does_not_keep_a_connection(house: House) -> None:
    with house.connect() as connection:
        begun = time.monotonic()
        try:
            for byte in b"GET /version HTTP/1.1\r\nHost: a-rather-long-name\r\n":
                connection.send(bytes([byte]))
                time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() - begun < 2
        assert parse(read_all(connection))[0] == 408


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no json", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{}", 422),
        (b'{"account": 7}', 422),
        (b'{"account": "shop", "kinds": "dispatched"}', 422),
        (b'{"account": "shop", "kinds": ["stolen"]}', 422),
        (b'{"account": "shop", "days": "7"}', 422),
        (b'{"account": "shop", "days": true}', 422),
        (b'{"account": "shop", "days": 0}', 400),
        (b'{"account": "shop", "days": 99999999999999999999999}', 422),
        (b'{"account": "shop", "dry-run": true}', 422),
        (b'{"account": "shop", "orders": [""]}', 400),
        (b'{"account": "shop", "orders": ["\\ud800"]}', 422),
        (b'{"account": "\\u0000"}', 404),
        (b'{"account": "\xff"}', 400),
        (b"[" * 100_000, 400),
        (b'{"account": ' + b"9" * 10_000 + b"}", 400),
    ],
)
def test_G04_a_wrong_body_is_told_with_a_code(house: House, body: bytes, status: int) -> None:
    got, fields, problem = house.ask("POST", "/v1/runs", body, Content_Type="application/json")
    assert got == status
    assert fields["content-type"] == "application/problem+json"
    assert problem["code"]
    assert "Traceback" not in json.dumps(problem)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300))
def test_G04_any_bytes_get_an_answer_or_the_door(house: House, data: bytes) -> None:
    with house.connect() as connection:
        connection.sendall(data + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert not answer or answer.startswith(b"HTTP/1.1 ")
    assert b"Traceback" not in answer


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(["/v1/orders/{}", "/v1/runs/{}", "/v1/runs?limit={}", "/v1/{}",
                          "/v1/orders/{}/explain", "/v1/stock?after={}", "/v1/failed?code={}"]),
    word=st.text(max_size=40),
)  # fmt: skip
def test_G04_any_words_in_a_path_are_answered(house: House, path: str, word: str) -> None:
    from urllib.parse import quote

    quoted = quote(word.encode("utf-8", "surrogatepass"), safe="")
    status, _, body = house.ask("GET", path.format(quoted))
    assert status in (200, 400, 404, 409, 422), body


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 30, str(2**63)])
def test_G04_a_run_number_that_cannot_be_is_told(house: House, number: str) -> None:
    status, _, problem = house.ask("GET", f"/v1/runs/{number}")
    assert (status, problem["code"]) == (422, "bad_request")


def test_an_unknown_path_and_method_are_told(house: House) -> None:
    assert house.ask("GET", "/v2/status")[2]["code"] == "no_such_path"
    assert house.ask("DELETE", "/v1/status")[2]["code"] == "method_not_allowed"


def test_G05_the_trigger_of_a_client_that_went_away_stays(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        body = json.dumps(TRIGGER).encode()
        head = f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        with house.connect() as connection:
            connection.sendall(head.encode() + body)
        end = time.monotonic() + WAIT
        while not house.works.conducted and time.monotonic() < end:
            time.sleep(0.02)
        assert house.works.conducted == [1]
        assert well(house)


def test_G06_a_client_that_never_reads_is_dropped(tmp_path: Path) -> None:
    with running(tmp_path, protocol=Impatient) as house:
        house.works.go.clear()
        house.ask("POST", "/v1/runs", TRIGGER)
        assert house.works.begun.wait(WAIT)
        with house.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.sendall(b"GET /v1/runs/1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            for number in range(1_500):
                house.engine.progress.emit(1, "progress", doing="x" * 1_000, pages=number)
            end = time.monotonic() + WAIT
            while _connections(house) and time.monotonic() < end:
                time.sleep(0.05)
            assert _connections(house) == 0
        assert well(house)


def _connections(house: House) -> int:
    server = house.server._server
    assert server is not None
    return len(server.server_state.connections)


def test_G02_too_many_connections_are_told_so_and_the_others_live(house: House) -> None:
    held = [house.connect() for _ in range(Impatient.most_connections)]
    try:
        time.sleep(0.1)
        status, _, problem = parse(house.raw(b""))
        assert (status, problem["code"]) == (503, "too_many_connections")
    finally:
        for connection in held:
            connection.close()
    end = time.monotonic() + WAIT
    while _connections(house) and time.monotonic() < end:
        time.sleep(0.02)
    assert well(house)


def test_G07_triggers_of_a_busy_account_fold_into_one(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        house.works.go.clear()
        first = house.ask("POST", "/v1/runs", TRIGGER)[2]
        assert house.works.begun.wait(WAIT)
        answers = [house.ask("POST", "/v1/runs", TRIGGER)[2] for _ in range(20)]
        assert {answer["run_id"] for answer in answers} == {first["run_id"] + 1}
        assert [answer["folded"] for answer in answers] == [False] + [True] * 19


@pytest.mark.parametrize(
    ("prepare", "account", "status", "code"),
    [
        ("UPDATE account SET state = 'PAUSED'", "shop", 409, "account_paused"),
        ("UPDATE account SET state = 'AUTH_FAILED'", "shop", 409, "account_auth_failed"),
        ("UPDATE account SET state = 'DISABLED'", "shop", 409, "account_disabled"),
        ("UPDATE account SET channel = 'gone'", "shop", 409, "channel_off"),
        ("SELECT 1", "shoop", 404, "not_found"),
    ],
)
def test_G08_what_cannot_run_is_told_at_once(
    tmp_path: Path, prepare: str, account: str, status: int, code: str
) -> None:
    with running(tmp_path) as house:
        with house.book.write():
            house.book.query(prepare)
        got, _, problem = house.ask("POST", "/v1/runs", {"account": account})
        assert (got, problem["code"]) == (status, code)
        assert house.seller.count("run") == 0


def test_G08_changes_are_refused_while_starting_and_stopping(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        house.service.hold("syncd is starting.")
        assert house.ask("POST", "/v1/runs", TRIGGER)[2]["code"] == "not_ready"
        house.service.hold("")
        assert house.ask("POST", "/v1/runs", TRIGGER)[0] == 202
        house.service.close()
        status, _, problem = house.ask("POST", "/v1/runs", TRIGGER)
        assert (status, problem["detail"]) == (503, "syncd is stopping.")
        assert house.ask("GET", "/v1/status")[0] == 200


def test_G11_order_ids_are_limited_folded_and_unknown_ones_listed(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        house.seller.order("OD1", ("1", "SKU", 1))
        many = [f"OD{number}" for number in range(100_000)]
        status, _, problem = house.ask("POST", "/v1/runs", {"account": "shop", "orders": many})
        assert (status, problem["code"]) == (400, "too_many_orders")
        body = {"account": "shop", "orders": ["OD1", "OD2", "OD1", "OD2", "OD3"]}
        status, _, asked = house.ask("POST", "/v1/runs", body)
        assert status == 202
        assert asked["unknown_orders"] == ["OD2", "OD3"]
        assert house.service.run(asked["run_id"]).orders == ("OD1", "OD2", "OD3")


def test_G12_a_trigger_and_a_stop_at_once_have_a_defined_end(tmp_path: Path) -> None:
    answers: list[int] = []
    with running(tmp_path) as house:

        def ask() -> None:
            for _ in range(20):
                answers.append(house.ask("POST", "/v1/runs", TRIGGER)[0])

        client = threading.Thread(target=ask)
        client.start()
        house.service.close()
        client.join(WAIT)
    assert set(answers) <= {202, 503}
    assert answers[-1] == 503


def test_a_body_that_is_too_large_is_refused_before_it_is_read(house: House) -> None:
    head = b"PUT /v1/tenants/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n"
    status, _, problem = parse(house.raw(head))
    assert (status, problem["code"]) == (413, "too_large")


def test_a_body_without_a_length_is_counted(house: House) -> None:
    head = b"PUT /v1/tenants/acme HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert parse(house.raw(head + chunk * 17 + b"0\r\n\r\n"))[0] == 413


def test_a_mistake_inside_is_answered_without_its_details(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        with house.book.write():
            house.book.query("DROP TABLE putaway")
        status, fields, problem = house.ask("GET", "/v1/putaways")
        assert (status, problem["code"]) == (500, "internal_error")
        assert fields["content-type"] == "application/problem+json"
        assert "putaway" not in problem["detail"]
        assert well(house)
