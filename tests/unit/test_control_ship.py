"""The door and the brake over a real socket; who may only look may ask, and say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.control.peer import Peer
from syncd.control.protocol import Connection
from syncd.rules import Position
from syncd.statuses import Status
from tests.controlkit import House, running


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running(tmp_path) as house:
        yield house


def parcel(house: House, order_id: str = "OD1") -> None:
    house.seller.stock("SKU-A", 1)
    house.seller.order(order_id, ("1", "SKU-A", 1))
    house.seller.advance(order_id, Position.PACKED)


def brake_on(house: House) -> None:
    for number in range(3):
        house.seller.order(f"B{number}", ("1", "SKU-B", 1))
    house.seller.tell(*(house.seller.change(f"B{n}", Status.CANCELLED) for n in range(3)))
    with house.book.write():
        house.book.query(
            "INSERT INTO brake (account_id, run_id, upto, cancels, open_orders, state, opened_at, "
            "closed_by, note) SELECT 1, 1, max(id), 3, 3, 'OPEN', 0, '', '' FROM inbox"
        )


def test_a_parcel_is_asked_about_by_its_code_and_its_numbers(house: House) -> None:
    parcel(house, "OD/1")
    with house.book.write():
        house.book.query("UPDATE package SET tracking_number = 'A/1', shipment_id = 'S1'")
    for path in (
        "/v1/packages/SP-1/may-ship", "/v1/packages/may-ship?order=OD%2F1",
        "/v1/packages/may-ship?tracking=A%2F1&account=shop", "/v1/packages/may-ship?shipment=S1",
    ):  # fmt: skip
        status, _, body = house.ask("GET", path)
        assert (status, body["may_ship"], body["order_id"]) == (200, True, "OD/1"), path
        assert body["packages"][0]["package"] == "SP-1"
    house.seller.tell(house.seller.change("OD/1", Status.CANCELLED))
    body = house.ask("GET", "/v1/packages/SP-1/may-ship")[2]
    assert (body["may_ship"], body["code"]) == (False, "cancel_undecided")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "bad_question"),
        ("?order=OD1&shipment=S1", 400, "bad_question"),
        ("?order=none", 404, "not_found"),
        ("?tracking=none", 404, "not_found"),
        ("?order=OD1&account=none", 404, "not_found"),
    ],
)
def test_a_question_without_an_answer(house: House, query: str, status: int, code: str) -> None:
    got, _, problem = house.ask("GET", f"/v1/packages/may-ship{query}")
    assert (got, problem["code"]) == (status, code)


@pytest.mark.unsound_book("ledger_a_runs_counts_are_the_journals_marks")
def test_the_brake_is_shown_in_pages_and_closed_once(house: House) -> None:
    assert house.ask("GET", "/v1/brakes/shop")[2] == {"brake": None, "held": [], "next": None}
    brake_on(house)
    (one,) = house.ask("GET", "/v1/brakes")[2]["brakes"]
    assert (one["account"], one["state"], one["cancels"]) == ("shop", "OPEN", 3)
    page = house.ask("GET", "/v1/brakes/shop?limit=2")[2]
    assert [held["order_id"] for held in page["held"]] == ["B0", "B1"]
    page = house.ask("GET", f"/v1/brakes/shop?after={page['next']}")[2]
    assert ([held["order_id"] for held in page["held"]], page["next"]) == (["B2"], None)
    status, _, done = house.ask("POST", "/v1/brakes/shop/drop", {"note": "a mistake"})
    assert (status, done["dropped"], done["state"], len(done["runs"])) == (200, 3, "DROPPED", 1)
    status, _, problem = house.ask("POST", "/v1/brakes/shop/release", {"note": "late"})
    assert (status, problem["code"]) == (409, "brake_off")
    assert house.ask("GET", "/v1/brakes")[2]["brakes"] == []
    (one,) = house.ask("GET", "/v1/brakes?closed=true&account=shop")[2]["brakes"]
    assert one["closed_by"].startswith("uid ")
    assert one["note"] == "a mistake"
    assert house.ask("GET", "/v1/brakes/none")[0] == 404


class Strangers(Connection):
    """Everyone who comes is somebody else."""

    who = staticmethod(lambda _socket: Peer(1, 4711, 4711))


def test_who_may_only_look_may_ask_but_not_release(tmp_path: Path) -> None:
    with running(tmp_path, protocol=Strangers) as house:
        parcel(house)
        brake_on(house)
        assert house.ask("GET", "/v1/packages/SP-1/may-ship")[0] == 200
        assert house.ask("GET", "/v1/brakes/shop")[0] == 200
        status, _, problem = house.ask("POST", "/v1/brakes/shop/release", {"note": "x"})
        assert (status, problem["code"]) == (403, "not_an_operator")
