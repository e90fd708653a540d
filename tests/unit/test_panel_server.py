"""The server under every simulator: faults, log, control surface, limits and a clean stop."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from syncd.clock import HandClock
from syncd.testing import (
    Fault,
    FaultScript,
    Ids,
    PanelServer,
    Reply,
    Request,
    World,
    json_reply,
)

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


class Echo(PanelServer):
    """Answers with what it was asked."""

    def answer(self, request: Request) -> Reply:
        if request.path == "/bug":
            raise RuntimeError("a bug of the simulator")
        if request.path == "/read":
            number, at = request.number("n", least=1), request.moment("at")
            return json_reply({"n": number, "at": at, "fields": request.fields()})
        asked = {"path": request.path, "query": request.query, "body": request.body.decode()}
        return json_reply({**asked, "n": len(self.log)})


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def server(clock: HandClock) -> Iterator[Echo]:
    with Echo(World(clock, ids=Ids(1))) as echo:
        yield echo


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def get(server: PanelServer, path: str, **more: Any) -> requests.Response:
    return requests.get(server.url + path, timeout=10, allow_redirects=False, **more)


def test_many_requests_share_one_connection(server: Echo, client: requests.Session) -> None:
    ports = set()
    server.on_request = lambda request: None
    for n in range(20):
        answer = client.post(f"{server.url}/a?n={n}", data="x", timeout=10, stream=True)
        connection: Any = answer.raw.connection
        ports.add(connection.sock.getsockname()[1])
        assert answer.json()["query"] == {"n": str(n)}
    assert len(ports) == 1
    assert [line.target for line in server.requests("/a")] == [f"/a?n={n}" for n in range(20)]


def test_the_date_header_is_the_clock_with_its_skew(server: Echo, clock: HandClock) -> None:
    assert parsedate_to_datetime(get(server, "/").headers["Date"]) == START
    clock.advance(timedelta(hours=1))
    server.faults.skew_seconds = -600
    expected = START + timedelta(minutes=50)
    assert parsedate_to_datetime(get(server, "/").headers["Date"]) == expected


def test_a_fault_meets_the_next_n_requests_that_fit(server: Echo) -> None:
    retry = {"Retry-After": "7"}
    server.faults.add(Fault(do="status", status=429, headers=retry, path="/slow*", skip=1, times=2))
    codes = [get(server, path).status_code for path in ("/slow", "/other", "/slow", "/slow?a=1")]
    assert codes == [200, 200, 429, 429]
    assert get(server, "/slow").status_code == 200
    assert server.faults.pending() == []
    assert [line.fault for line in server.log] == ["", "", "status", "status", ""]


def test_a_fault_for_ever_lasts_until_it_is_cleared(server: Echo) -> None:
    server.faults.add(Fault(do="status", status=503, times=-1, method="GET"))
    assert {get(server, "/").status_code for _ in range(5)} == {503}
    assert requests.post(server.url, timeout=10).status_code == 200
    server.faults.clear()
    assert get(server, "/").status_code == 200


def test_html_redirect_and_any_body(server: Echo) -> None:
    server.faults.add(Fault(do="html"), Fault(do="redirect"), Fault(do="body", body='{"a":'))
    page = get(server, "/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.status_code == 200
    away = get(server, "/")
    assert (away.status_code, away.headers["Location"]) == (302, f"{server.url}/login")
    assert get(server, "/").text == '{"a":'


def test_cut_promises_more_than_it_sends(server: Echo) -> None:
    server.faults.add(Fault(do="cut", size=5))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="5 bytes read"):
        get(server, "/")


def test_reset_closes_without_an_answer(server: Echo) -> None:
    server.faults.add(Fault(do="reset"))
    with pytest.raises(requests.exceptions.ConnectionError):
        get(server, "/")
    assert [line.status for line in server.log] == [0]


def test_hang_never_answers(server: Echo) -> None:
    server.faults.add(Fault(do="hang"))
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(server.url, timeout=0.2)


def test_drip_sends_the_body_in_small_steps(server: Echo) -> None:
    server.faults.add(Fault(do="drip", size=8, seconds=0.02))
    began = time.monotonic()
    answer = get(server, "/")
    assert answer.json()["path"] == "/"
    assert time.monotonic() - began >= 0.02 * (len(answer.content) // 8)


def test_delay_answers_late(server: Echo) -> None:
    server.faults.add(Fault(do="delay", seconds=0.1))
    assert get(server, "/").elapsed >= timedelta(seconds=0.1)


def test_repeat_gives_the_last_answer_of_the_path_once_more(server: Echo) -> None:
    first = get(server, "/page").json()
    server.faults.add(Fault(do="repeat"))
    assert get(server, "/page").json() == first
    assert get(server, "/page").json() != first


def test_flood_and_bomb_have_the_asked_size(server: Echo) -> None:
    server.faults.add(Fault(do="flood", size=3_000_000), Fault(do="bomb", size=3_000_000))
    assert len(get(server, "/").content) == 3_000_000
    packed = get(server, "/", stream=True).raw.read(decode_content=False)
    assert len(packed) < 10_000
    assert len(gzip.decompress(packed)) == 3_000_000


def test_secrets_in_a_query_do_not_reach_the_log(server: Echo) -> None:
    get(server, "/token?refresh_token=canary-1&code=canary-2&next_token=kept")
    [line] = server.log
    assert "canary" not in repr(line)
    assert "next_token=kept" in line.target


def test_a_mistake_of_the_simulator_is_a_500_and_is_kept(
    server: Echo, capfd: pytest.CaptureFixture[str]
) -> None:
    assert get(server, "/bug").status_code == 500
    assert "a bug of the simulator" in server.troubles[0]
    assert "a bug of the simulator" in capfd.readouterr().err


def test_head_is_a_get_without_its_body(server: Echo) -> None:
    plain, head = get(server, "/a?b=1"), requests.head(f"{server.url}/a?b=1", timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == plain.headers["Content-Length"]
    assert [line.method for line in server.requests("/a")] == ["GET", "HEAD"]


@pytest.mark.parametrize("method", ["OPTIONS", "PATCH", "BREW"])
def test_a_method_that_no_panel_has_is_refused_in_the_panels_form(
    server: Echo, method: str
) -> None:
    answer = requests.request(method, f"{server.url}/a", timeout=10)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST, PUT, DELETE")
    assert method in answer.json()["message"]


def test_what_is_no_http_is_refused_in_the_panels_form(server: Echo) -> None:
    with socket.create_connection(server.address, timeout=10) as plain:
        plain.sendall(b"GET / HTTP/x.y\r\n\r\n")
        answer = plain.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "Bad Request"


@pytest.mark.parametrize(
    ("target", "body", "said"),
    [
        ("/read?n=x&at=2026-11-20T06:00:00Z", "{}", "n must be a whole number, 1 or more"),
        ("/read?n=0&at=2026-11-20T06:00:00Z", "{}", "n must be a whole number, 1 or more"),
        ("/read?at=2026-11-20T06:00:00Z", "{}", "n must be a whole number, 1 or more"),
        ("/read?n=1", "{}", "at must be an ISO 8601 time"),
        ("/read?n=1&at=2026-11-20", "{}", "at must be a time with its offset, of these years"),
        ("/read?n=1&at=2026-11-20T06:00:00Z", "{", "the body cannot be read: "),
        ("/read?n=1&at=2026-11-20T06:00:00Z", '{"a": 1}', "the body cannot be read: "),
    ],
)
def test_what_a_simulator_cannot_read_is_a_400_in_the_panels_form(
    server: Echo, target: str, body: str, said: str
) -> None:
    answer = requests.post(server.url + target, data=body, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(said)
    assert server.troubles == []


def test_the_fields_of_a_body_come_as_json_or_as_a_form(server: Echo) -> None:
    read = f"{server.url}/read?n=4&at=2026-11-20T06:00:00%2B05:30"
    for more in ({"json": {"a": "1"}}, {"data": {"a": "1"}}):
        answer = requests.post(read, timeout=10, **more)  # type: ignore[arg-type]
        assert answer.json() == {"n": 4, "at": "2026-11-20T06:00:00+05:30", "fields": {"a": "1"}}


def test_a_body_without_length_or_too_long_is_refused(server: Echo) -> None:
    chunks = (chunk for chunk in [b"a", b"b"])
    assert requests.post(server.url, data=chunks, timeout=10).status_code == 411
    with socket.create_connection(server.address, timeout=10) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_more_connections_than_the_limit_get_503(clock: HandClock) -> None:
    with Echo(World(clock), max_connections=2) as server:
        with requests.Session() as one, requests.Session() as two:
            assert one.get(server.url, timeout=10).status_code == 200
            assert two.get(server.url, timeout=10).status_code == 200
            assert get(server, "/").status_code == 503
        deadline = time.monotonic() + 10
        while get(server, "/").status_code != 200:
            assert time.monotonic() < deadline


def test_stop_ends_every_thread_even_with_open_and_hanging_connections(clock: HandClock) -> None:
    before = threading.active_count()
    server = Echo(World(clock), faults=FaultScript([Fault(do="hang", skip=1)])).start()
    with requests.Session() as idle:
        idle.get(server.url, timeout=10)
        hung = socket.create_connection(server.address, timeout=10)
        hung.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 10
        while server.faults.pending():
            assert time.monotonic() < deadline
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 2
    hung.close()
    server.stop()
    assert threading.active_count() == before
    with pytest.raises(requests.exceptions.ConnectionError):
        get(server, "/")


def test_a_hook_runs_before_each_answer(server: Echo) -> None:
    seen: list[str] = []
    server.on_request = lambda request: seen.append(request.path)
    get(server, "/one")
    get(server, "/two")
    assert seen == ["/one", "/two"]


def control(server: PanelServer, method: str, name: str, body: object = None) -> Any:
    answer = requests.request(method, f"{server.url}/control/{name}", json=body, timeout=10)
    return answer.status_code, answer.json()


def test_control_moves_the_world_and_tells_the_truth(server: Echo) -> None:
    lines = [{"sku": "RED", "quantity": 3}]
    code, order = control(server, "POST", "place_order", {"lines": lines})
    assert code == 200
    order_id, line_id = order["order_id"], order["lines"][0]["line_id"]
    at = (START + timedelta(minutes=5)).isoformat()
    cancel = {"order_id": order_id, "quantity": 1, "by": "seller", "at": at}
    assert control(server, "POST", "cancel", cancel) == (200, {"moved": 1})
    assert control(server, "POST", "ship", {"order_id": order_id}) == (200, {"moved": 2})
    _, [back] = control(server, "POST", "cancel_in_transit", {"order_id": order_id, "quantity": 1})
    event = {"return_id": back["return_id"], "event": "completed"}
    assert control(server, "POST", "return_event", event)[1]["state"] == "COMPLETED"
    words = {"CANCELLED": 1, "DISPATCHED": 1, "RETURNED_RTO": 1}
    row = {"order_id": order_id, "line_id": line_id, "words": words}
    assert control(server, "GET", "truth") == (200, [row])
    assert server.world.history[1].at == START + timedelta(minutes=5)
    assert server.log == type(server.log)()


def test_control_splits_an_order_into_parcels(server: Echo) -> None:
    lines = [["RED", 2], {"sku": "BLUE"}]
    wish = {"lines": lines, "split": [[[0, 1]], [[0, 1], [1, 1]]]}
    code, order = control(server, "POST", "place_order", wish)
    assert code == 200
    contents = [server.world.parcels[one].contents for one in order["shipments"]]
    red, blue = (line["line_id"] for line in order["lines"])
    counts = [{line: len(pieces) for line, pieces in one.items()} for one in contents]
    assert counts == [{red: 1}, {red: 1, blue: 1}]


def test_control_lists_orders_line_by_line(server: Echo) -> None:
    ids = [server.world.place_order([("RED", n)]).order_id for n in (1, 2)]
    answer = get(server, "/control/orders")
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["order_id"] for row in rows] == ids
    assert rows[1]["lines"][0]["quantity"] == 2
    assert datetime.fromisoformat(rows[0]["placed_at"]) == START


def test_control_writes_the_fault_script(server: Echo) -> None:
    code, pending = control(server, "POST", "faults", {"do": "status", "status": 500})
    assert (code, [one["do"] for one in pending]) == (200, ["status"])
    assert get(server, "/").status_code == 500
    assert control(server, "POST", "faults", [{"do": "html"}, {"do": "reset"}])[0] == 200
    assert control(server, "DELETE", "faults") == (200, [])
    assert get(server, "/").status_code == 200
    wish = {"skew_seconds": 30.0, "lag_seconds": 60.0}
    assert control(server, "POST", "conditions", wish) == (200, wish)
    assert server.faults.lag_seconds == 60
    _, log = control(server, "GET", "requests")
    assert [line["status"] for line in log] == [500, 200]


def test_control_moves_a_hand_clock(server: Echo, clock: HandClock) -> None:
    assert control(server, "POST", "clock", {"advance": 90})[0] == 200
    assert clock.now() == START + timedelta(seconds=90)
    assert control(server, "GET", "clock") == (200, {"now": "2026-11-20T06:01:30Z"})
    for _ in range(17):
        assert control(server, "POST", "clock", {"advance": 10 * 365 * 86_400})[0] == 200
    code, said = control(server, "POST", "clock", {"advance": 10 * 365 * 86_400})
    assert (code, "after the year 2199" in said["error"]) == (400, True)
    assert control(server, "GET", "clock")[0] == 200


def test_control_lets_people_publish(server: Echo) -> None:
    assert control(server, "POST", "publish", {}) == (200, {"published": True})


@pytest.mark.parametrize(
    ("method", "name", "body", "code", "sentence"),
    [
        ("POST", "explode", {}, 404, "no control call"),
        ("GET", "cancel", None, 404, "no control call"),
        ("POST", "cancel", {}, 400, "missing a required argument: 'order_id'"),
        ("POST", "cancel", {"order_id": "X"}, 400, "no order 'X'"),
        ("POST", "cancel", {"order_id": "X", "at": "soon"}, 400, "no ISO 8601 time"),
        ("POST", "cancel", {"order_id": "X", "at": "2026-11-20T06:00:00"}, 400, "no offset"),
        ("POST", "cancel", [], 400, "Expected `object`"),
        ("POST", "place_order", {"lines": [{"sku": 1}]}, 400, "Expected `str`"),
        ("POST", "place_order", {"lines": [{"sku": "A", "quantity": 0}]}, 400, "one piece"),
        ("POST", "place_order", {"lines": [["A", 1]], "split": True}, 400, "[[[0, 1]], [[0, 1]]]"),
        ("POST", "place_order", {"lines": [["A", 1]], "split": [[0, 1]]}, 400, "Expected `array`"),
        ("POST", "place_order", {"lines": [["A", 1]], "split": [[[0, 2]]]}, 400, "not add up"),
        ("POST", "place_order", {"lines": [["A", 1]], "split": [[[0, 1]], []]}, 400, "length"),
        ("POST", "place_order", {"lines": "A"}, 400, "a list of lines, such as"),
        ("POST", "place_order", {"lines": []}, 400, "length >= 1"),
        ("POST", "place_order", {"lines": [["A"]]}, 400, "length 2"),
        ("POST", "place_order", {"lines": [{"sku": "A", "qty": 1}]}, 400, "unknown field `qty`"),
        ("POST", "place_order", {"lines": [["A", 1]], "ships_by": "me"}, 400, "ships_by: Invalid"),
        ("POST", "place_order", {"lines": [["A", 1]], "traits": {"n": 1}}, 400, "traits: Expected"),
        ("POST", "cancel", {"order_id": 7}, 400, "cancel: order_id: Expected `str`, got `int`"),
        ("POST", "cancel", {"order_id": "X", "quantity": "1"}, 400, "quantity: Expected"),
        ("POST", "return_event", {"return_id": "X", "event": 1}, 400, "event: Expected `str`"),
        ("POST", "cancel", {"order_id": "X", "self": 1}, 400, "unexpected keyword argument"),
        (
            "POST",
            "place_order",
            {"lines": [["A", 1]], "at": "9999-12-31T23:00:00Z"},
            400,
            "the years are 1971 to 2199",
        ),
        (
            "POST",
            "place_order",
            {"lines": [["A", 1]], "at": "0001-01-01T00:00:00+05:30"},
            400,
            "the years are 1971 to 2199",
        ),
        ("POST", "conditions", {"skew_seconds": 1e30}, 400, "<= 315360000.0"),
        ("POST", "conditions", {"lag_seconds": -1}, 400, ">= 0.0"),
        ("POST", "clock", {"advance": 1e30}, 400, "<= 315360000.0"),
        ("POST", "publish", {"seller_id": "s"}, 400, "takes no arguments"),
        ("POST", "publish", 7, 400, "takes no arguments"),
        ("POST", "publish?seller_id=s", None, 400, "takes no arguments"),
        ("POST", "faults", {"do": "status", "status": 99999}, 400, "it is 200 to 599"),
        ("POST", "faults", {"do": "status", "status": 100}, 400, "it is 200 to 599"),
        ("POST", "faults", {"do": "status", "headers": {"A": "b\r\nC: d"}}, 400, "no line of"),
        ("POST", "faults", {"do": "hang", "seconds": 1e30}, 400, "<= 86400.0"),
        ("POST", "faults", {"do": "melt"}, 400, "Invalid enum value"),
        ("POST", "faults", {"do": "cut", "sice": 1}, 400, "unknown field `sice`"),
    ],
)
def test_control_says_what_is_wrong(
    server: Echo, method: str, name: str, body: object, code: int, sentence: str
) -> None:
    status, answer = control(server, method, name, body)
    assert status == code
    assert sentence in answer["error"]
    assert server.troubles == []
    assert control(server, "GET", "faults") == (200, [])


def test_the_kit_imports_neither_pytest_nor_the_core() -> None:
    program = "import sys, syncd.testing; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "syncd.testing.world" in loaded
    forbidden = {"pytest", "peewee", "schedule", "fastapi", "structlog", "requests"}
    assert not loaded & forbidden
    core = {"syncd.book", "syncd.rules", "syncd.passes", "syncd.engine", "syncd.control"}
    assert not loaded & core
