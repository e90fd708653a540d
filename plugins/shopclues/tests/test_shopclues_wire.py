"""Login, tokens that die inside good answers, pages by link, and errors."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.clock import HandClock
from syncd.errors import ConfigError, PanelAnswer, PanelBusy, PanelGone, PanelRefused
from syncd.testing import Fault, World
from syncd_shopclues.simulator import ShopCluesSimulator

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
REFUSAL = '{"message": "UnAuthorised Access"}'


def place(world: World, count: int) -> set[str]:
    return {
        world.place_order([("A", 1)], at=NOW - HOUR - timedelta(minutes=n)).order_id
        for n in range(count)
    }


# Tokens ---------------------------------------------------------------------------------------


def test_one_login_serves_until_the_token_is_old(seller: Any, sim: ShopCluesSimulator) -> None:
    seen: list[Any] = []
    sim.on_request = seen.append
    seller.read("orders")
    seller.read("dispatched")
    assert isinstance(sim.clock, HandClock)
    sim.clock.advance(timedelta(hours=2))
    seller.read("orders")

    logins = [request for request in seen if request.path == "/loginToken.php"]
    assert [request.method for request in logins] == ["POST", "POST"]
    assert json.loads(logins[0].body) == {
        "username": "seller-1@shop.example",
        "password": "e4d15e8e2dadcb912a6b2194b88dfc67",  # MD5 of the simulator's password
        "client_id": "simulated-app",
        "client_secret": "simulated-app-secret",
        "grant_type": "password",
    }


@pytest.mark.parametrize(("style", "word"), [("bearer", "Bearer "), ("bare", "")])
def test_both_styles_of_a_token(
    sim: ShopCluesSimulator, sellers: Callable[..., Any], style: str, word: str
) -> None:
    sim.styles = frozenset({style})
    seen: list[Any] = []
    sim.on_request = seen.append

    assert sellers(token_style=style).read("orders") == []
    assert seen[1].headers["authorization"] == f"{word}simulated-token-000001"
    other = {"bearer": "bare", "bare": "bearer"}[style]
    with pytest.raises(PanelRefused, match="just given"):
        sellers(token_style=other).read("orders")


def test_a_token_that_dies_inside_a_good_answer_is_renewed(
    seller: Any, sim: ShopCluesSimulator, world: World
) -> None:
    placed = place(world, 50)
    sim.faults.add(Fault(do="expire", path="/order*", skip=1))

    told = {one.order_id for one in seller.read("orders")}

    assert told == placed
    assert len(sim.requests("/loginToken.php")) == 2
    assert len(sim.requests("/order")) == 4  # page 2 twice


def test_a_token_of_another_process_is_taken_up(
    seller: Any, sim: ShopCluesSimulator, world: World
) -> None:
    place(world, 1)
    seller.read("orders")
    seller.panel.close()
    seller.panel = seller.new_panel()

    assert len(seller.read("orders")) == 1
    assert len(sim.requests("/loginToken.php")) == 1


def test_new_tokens_that_are_refused_at_once_are_for_a_person(
    seller: Any, sim: ShopCluesSimulator
) -> None:
    sim.faults.add(Fault(do="body", path="/order*", body=REFUSAL, times=-1))

    with pytest.raises(PanelRefused) as refused:
        seller.read("orders")
    assert refused.value.code == "account_auth_failed"
    with pytest.raises(PanelRefused, match="less than a minute ago"):
        seller.read("orders")
    assert len(sim.requests("/loginToken.php")) == 2


@pytest.mark.parametrize(
    "wrong", [{"password": "no"}, {"client_secret": "no"}, {"username": "nobody@shop.example"}]
)
def test_a_login_that_is_refused_inside_a_good_answer(
    sellers: Callable[..., Any], wrong: dict[str, str]
) -> None:
    with pytest.raises(PanelRefused, match="gave no token") as refused:
        sellers(**wrong).read("orders")
    assert refused.value.code == "account_auth_failed"


def test_no_secret_is_ever_told(seller: Any, sim: ShopCluesSimulator) -> None:
    echo = json.dumps({"message": "bad simulated-token-000001 and simulated-app-secret"})
    sim.faults.add(
        Fault(do="status", path="/order*", status=503, times=5),
        Fault(do="body", path="/order*", body=echo, times=1),
    )
    with pytest.raises(PanelBusy) as busy:
        seller.read("orders")
    with pytest.raises(PanelAnswer, match="bad") as bad:
        seller.read("orders")

    text = repr((seller.said, seller.account, seller.panel, busy.value, bad.value))
    assert "panel_retry" in text
    for secret in ("simulated-token", "simulated-app-secret", "simulated-password"):
        assert secret not in text


# Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 40, 41])
def test_the_next_link_is_followed_until_it_is_empty(
    seller: Any, sim: ShopCluesSimulator, world: World, count: int
) -> None:
    placed = place(world, count)

    pages = list(seller.pages("orders"))

    assert sorted(row.order_id for page in pages for row in page) == sorted(placed)
    assert len(pages) == len(sim.requests("/order")) == max(1, -(-count // 20))


def test_the_real_address_has_a_path_before_the_calls(
    sellers: Callable[..., Any], sim: ShopCluesSimulator, world: World
) -> None:
    placed = place(world, 21)

    told = sellers(base_url=f"{sim.url}/api/v1").read("orders")

    assert {one.order_id for one in told} == placed
    assert len(sim.requests("/api/v1/order?")) == 2


def test_an_empty_page_is_not_the_end(seller: Any, sim: ShopCluesSimulator, world: World) -> None:
    place(world, 41)
    sim.faults.add(Fault(do="empty", path="/order[?]*", skip=1))

    assert [len(page) for page in seller.pages("orders")] == [20, 0, 1]


@pytest.mark.parametrize("end", ["", None])
def test_each_way_to_end(seller: Any, said: Callable[..., None], end: str | None) -> None:
    said(link=end)

    assert seller.read("orders") == []


def test_a_ring_of_links_is_noticed(seller: Any, sim: ShopCluesSimulator, world: World) -> None:
    place(world, 30)
    sim.faults.add(Fault(do="ring", path="/order[?]*", times=-1))

    with pytest.raises(PanelAnswer, match="came before"):
        seller.read("orders")


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.invalid/api/v1/order?page=2",
        "http://127.0.0.1:1/order?page=2",
        "order?page=2",
    ],
)
def test_a_link_to_elsewhere_gets_no_token(seller: Any, sim: ShopCluesSimulator, link: str) -> None:
    sim.faults.add(Fault(do="foreign", path="/order[?]*", body=link))

    with pytest.raises(PanelAnswer, match="leads away"):
        seller.read("orders")


def test_a_page_that_does_not_say_what_is_next_is_an_error(
    seller: Any, sim: ShopCluesSimulator
) -> None:
    sim.faults.add(Fault(do="body", path="/order*", body='{"data": []}'))

    with pytest.raises(PanelAnswer, match="what is next"):
        seller.read("orders")


@pytest.mark.parametrize("body", ["{}", '{"message": "Try later"}', "[]", '{"data": {}', ""])
def test_what_is_no_answer_is_not_taken_for_an_empty_one(
    seller: Any, sim: ShopCluesSimulator, body: str
) -> None:
    sim.faults.add(Fault(do="body", path="/order*", body=body, times=-1))

    with pytest.raises(PanelAnswer):
        seller.read("orders")


def test_a_restart_between_two_pages_loses_nothing(
    sellers: Callable[..., Any], world: World
) -> None:
    placed = {
        world.place_order([("A", 1)], at=NOW - timedelta(hours=1)).order_id for _ in range(50)
    }
    interrupted = sellers().pages("orders")
    next(interrupted)
    interrupted.close()

    assert {one.order_id for one in sellers().read("orders")} == placed


def test_a_page_at_a_time(seller: Any, sim: ShopCluesSimulator, world: World) -> None:
    place(world, 30)

    next(seller.pages("orders"))

    assert len(sim.requests("/order")) == 1


def test_a_broken_row_and_a_lagging_panel(
    seller: Any, sim: ShopCluesSimulator, world: World
) -> None:
    (placed,) = place(world, 1)
    sim.faults.add(Fault(do="garble", path="/order[?]*"))
    assert [bool(one.problem) for one in seller.read("orders")] == [True]
    sim.faults.lag_seconds = 7200
    assert seller.read("orders") == []
    sim.faults.lag_seconds = 0
    assert [one.order_id for one in seller.read("orders")] == [placed]


# By ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault(do="status", path="/order/*", status=404),
        Fault(do="body", path="/order/*", body='{"data": []}'),
        Fault(do="body", path="/order/*", body='{"data": null}'),
    ],
    ids=["simulator", "404", "empty list", "null"],
)
def test_an_order_that_the_panel_does_not_have(
    seller: Any, sim: ShopCluesSimulator, world: World, fault: Fault | None
) -> None:
    (placed,) = place(world, 1)
    if fault is not None:
        sim.faults.add(fault)

    assert [one.order_id for one in seller.read("orders", ["404", placed])] == [placed]


def test_a_call_that_is_gone_is_told(seller: Any, sim: ShopCluesSimulator) -> None:
    sim.faults.add(Fault(do="status", path="/order[?]*", status=404))

    with pytest.raises(PanelGone):
        seller.read("orders")


@pytest.mark.parametrize("odd", ["../login", "1?x=2", "1/2", "#", "é"])
def test_an_odd_id_stays_one_part_of_the_path(
    seller: Any, sim: ShopCluesSimulator, odd: str
) -> None:
    assert seller.read("orders", [odd]) == []
    (asked,) = sim.requests("/order/")
    assert asked.target.removeprefix("/order/").isprintable()
    assert "/" not in asked.target.removeprefix("/order/")
    assert "?" not in asked.target


# Addresses ------------------------------------------------------------------------------------


def test_plain_http_is_refused_before_anything_is_sent(sellers: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="must be https"):
        sellers(base_url="http://developer.shopclues.example/api/v1")


def test_a_link_with_plain_http_is_followed_with_https(
    sim: ShopCluesSimulator, sellers: Callable[..., Any], world: World
) -> None:
    """The panel's links begin with http://, and the token must not go that way."""
    certificate = Path(__file__).parents[3] / "tests" / "unit" / "loopback.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = sim._listener
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    placed = place(world, 21)
    address = sim.url.replace("http://", "https://")

    login = f"{address}/loginToken.php"
    seller = sellers(ca_bundle=certificate, base_url=address, login_url=login)
    told = seller.read("orders")

    assert sim.url.startswith("http://")  # and so do the links
    assert {one.order_id for one in told} == placed
