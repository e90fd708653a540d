"""Both styles of credentials, paging, reads by id, windows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd import OrderRef, Window
from syncd.errors import PanelAnswer, PanelBusy, PanelRefused
from syncd.tokens import FileTokens

TOKEN = "/oauth-service/oauth/token"
FILTER = "/sellers/v3/shipments/filter"
SHIPMENTS = "/sellers/v3/shipments"
RETURNS = "/sellers/v2/returns"


def test_client_credentials_ask_with_basic(seller: Any, script: Any, kit: Any) -> None:
    seller.read("dispatched")

    (asked,) = script.calls(TOKEN)
    assert asked.params == {"grant_type": "client_credentials", "scope": "Seller_Api"}
    assert asked.auth == kit.basic(*kit.app)
    assert script.calls(FILTER)[0].auth == "Bearer token-1"


def test_expires_in_is_honoured(seller: Any, script: Any) -> None:
    script.token = lambda asked: {"access_token": "token-1", "expires_in": 3600}
    seller.read("dispatched")
    seller.clock.advance(timedelta(minutes=30))
    seller.read("dispatched")
    assert len(script.calls(TOKEN)) == 1

    seller.clock.advance(timedelta(minutes=31))
    seller.read("dispatched")
    assert len(script.calls(TOKEN)) == 2


def test_refresh_token_is_rotated(script: Any, kit: Any) -> None:
    seller = kit.seller(script, refresh_token="canary-refresh-1")
    script.token = lambda asked: {
        "access_token": "token-1",
        "expires_in": 3600,
        "refresh_token": "canary-refresh-2",
    }
    seller.read("dispatched")
    seller.clock.advance(timedelta(hours=2))
    seller.read("dispatched")

    first, second = script.calls(TOKEN)
    assert first.params == {"grant_type": "refresh_token", "refresh_token": "canary-refresh-1"}
    assert second.params["refresh_token"] == "canary-refresh-2"
    assert first.auth == kit.basic(*kit.app)


def test_an_answer_without_a_refresh_token_keeps_the_old_one(script: Any, kit: Any) -> None:
    seller = kit.seller(script, refresh_token="canary-refresh-1")
    script.token = lambda asked: {"access_token": "token-1", "expires_in": 3600}
    seller.read("dispatched")

    assert seller.tokens.load("shop").refresh_token == "canary-refresh-1"


def test_a_dead_kept_refresh_token_gives_way_to_the_settings(script: Any, kit: Any) -> None:
    seller = kit.seller(script, refresh_token="canary-refresh-1")
    script.token = lambda asked: {
        "access_token": "token-1",
        "expires_in": 3600,
        "refresh_token": "canary-refresh-2",
    }
    seller.read("dispatched")
    later = kit.seller(script, refresh_token="canary-refresh-3")
    later.tokens, later.clock = seller.tokens, seller.clock
    later.panel = later.new_panel()
    script.token = lambda asked: (
        {"access_token": "token-1", "expires_in": 3600}
        if asked.params["refresh_token"] == "canary-refresh-3"
        else kit.reply({"error": "invalid_grant"}, 400)
    )
    later.clock.advance(timedelta(hours=2))

    later.read("dispatched")

    tried = [asked.params["refresh_token"] for asked in script.calls(TOKEN)]
    assert tried == ["canary-refresh-1", "canary-refresh-2", "canary-refresh-3"]


@pytest.mark.parametrize(
    ("refresh_token", "advice"), [(None, "app_secret"), ("canary-refresh-1", "consent again")]
)
def test_refused_credentials_come_with_advice(
    script: Any, kit: Any, refresh_token: str | None, advice: str
) -> None:
    seller = kit.seller(script, refresh_token=refresh_token)
    script.token = lambda asked: kit.reply(
        {"error": "invalid_client", "error_description": "canary-app-secret"}, 401
    )

    with pytest.raises(PanelRefused) as caught:
        seller.read("dispatched")

    assert advice in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(seller.settings)


def test_a_token_endpoint_in_trouble_is_busy_not_refused(script: Any, kit: Any) -> None:
    seller = kit.seller(script)
    script.token = lambda asked: kit.reply({"error": "down"}, 503)

    with pytest.raises(PanelBusy):
        seller.read("dispatched")


@pytest.mark.parametrize("answer", [{"expires_in": 5}, {"access_token": "", "expires_in": 5}])
def test_a_token_answer_without_a_token_is_refused(
    seller: Any, script: Any, answer: dict[str, Any]
) -> None:
    script.token = lambda asked: answer

    with pytest.raises(PanelAnswer):
        seller.read("dispatched")


def test_the_token_is_kept_over_a_restart(script: Any, kit: Any, tmp_path: Path) -> None:
    for _ in range(2):
        seller = kit.seller(script)
        seller.tokens = FileTokens(tmp_path / "tokens")
        seller.panel = seller.new_panel()
        seller.read("dispatched")
        seller.panel.close()

    assert len(script.calls(TOKEN)) == 1


def test_ids_are_read_a_hundred_a_call(seller: Any, script: Any) -> None:
    orders = [OrderRef(order_id=f"OD{n}", line_ids=(f"{n}",)) for n in range(250)]
    seller.read("dispatched", orders)

    sent = [asked.params["orderItemIds"].split(",") for asked in script.calls(SHIPMENTS)]
    assert [len(ids) for ids in sent] == [100, 100, 50]
    assert [one for ids in sent for one in ids] == [f"{n}" for n in range(250)]


def test_orders_without_lines_are_read_by_order_id(seller: Any, script: Any) -> None:
    orders = [OrderRef(order_id="OD1", line_ids=("11", "12")), OrderRef(order_id="OD2")]
    seller.read("delivered", orders)

    params = [asked.params for asked in script.calls(SHIPMENTS)]
    assert params == [{"orderItemIds": "11,12"}, {"orderIds": "OD2"}]


def test_new_lines_are_found_by_order_id(seller: Any, script: Any) -> None:
    seller.read("orders", [OrderRef(order_id="OD1", line_ids=("11",))])

    assert [asked.params for asked in script.calls(SHIPMENTS)] == [{"orderIds": "OD1"}]


@pytest.mark.parametrize("kind", ["orders", "dispatched", "delivered", "cancelled", "returns"])
def test_every_location_is_asked(script: Any, kit: Any, kind: str) -> None:
    kit.seller(script, locations=["LOC1", "LOC2"]).read(kind)
    asked = [
        (one.body or {}).get("filter", one.params).get("locationId")
        for one in script.asked
        if one.path in (FILTER, RETURNS)
    ]
    assert set(asked) == {"LOC1", "LOC2"}


@pytest.mark.parametrize("kind", ["orders", "dispatched", "delivered", "cancelled", "returns"])
def test_without_locations_none_is_named(seller: Any, script: Any, kind: str) -> None:
    seller.read(kind)
    asked = [one for one in script.asked if one.path in (FILTER, RETURNS)]
    assert asked
    assert not any("locationId" in (one.body or {}).get("filter", one.params) for one in asked)


def test_a_window_is_sent_in_whole_seconds_never_narrower(seller: Any, script: Any) -> None:
    window = Window(
        seller.clock.now().replace(microsecond=700_000), seller.clock.now().replace(microsecond=1)
    )
    seller.read("dispatched", window=window)

    sent = script.calls(FILTER)[0].body
    assert sent["filter"] == {
        "type": "postDispatch",
        "states": ["PICKUP_COMPLETE", "SHIPPED", "DELIVERED"],
        "serviceProfiles": ["NON_FBF"],
        "modifiedDate": {"from": "2026-11-20T12:00:00Z", "to": "2026-11-20T12:00:01Z"},
    }
    assert sent["pagination"] == {"pageSize": 20}


def test_page_size_is_a_setting(script: Any, kit: Any) -> None:
    kit.seller(script, page_size=7).read("delivered")
    assert script.calls(FILTER)[0].body["pagination"] == {"pageSize": 7}


def test_pages_of_returns_follow_their_prefix(seller: Any, script: Any, kit: Any) -> None:
    script.returns = lambda asked: kit.returns_page(
        [kit.returned(1, type=asked.params["source"])], f"/returns/search/{asked.params['source']}"
    )
    script.returns_next = lambda asked: kit.returns_page([kit.returned(2, type=...)])

    changes = seller.read("returns")

    paths = [one.path for one in script.asked if "/search/" in one.path]
    assert paths == [
        "/sellers/v2/returns/search/courier_return",
        "/sellers/v2/returns/search/customer_return",
    ]
    assert [change.return_type for change in changes] == ["RTO", "RTO", "CIR", "CIR"]


def test_returns_prefix_is_a_setting(script: Any, kit: Any) -> None:
    seller = kit.seller(script, returns_prefix="/sellers/")
    script.returns = lambda asked: kit.returns_page([], "/v2/returns/search/two")
    script.returns_next = lambda asked: kit.returns_page([])
    seller.read("returns")

    assert script.calls("/sellers/v2/returns/search/two")


@pytest.mark.parametrize(
    ("more", "link"), [(True, None), (True, ""), (False, "/v3/x?next_token=1")]
)
def test_a_page_that_contradicts_its_link_fails_the_pass(
    seller: Any, script: Any, kit: Any, more: bool, link: str | None
) -> None:
    rows = [kit.shipment(kit.line(1))]
    script.search = lambda asked: {"hasMore": more, "nextPageUrl": link, "shipments": rows}
    pages = seller.pages("dispatched")

    assert len(next(pages)) == 1  # what was read is handed over first
    with pytest.raises(PanelAnswer):
        next(pages)


@pytest.mark.parametrize(("more", "link"), [(True, None), (False, "/returns/search/x")])
def test_returns_that_contradict_their_link_fail_the_pass(
    seller: Any, script: Any, more: bool, link: str | None
) -> None:
    script.returns = lambda asked: {"hasMore": more, "nextUrl": link, "returnItems": []}

    with pytest.raises(PanelAnswer):
        seller.read("returns")


@pytest.mark.parametrize("kind", ["dispatched", "returns"])
def test_links_in_a_ring_are_found(seller: Any, script: Any, kit: Any, kind: str) -> None:
    script.search = script.next = lambda asked: kit.page([], "/v3/shipments/filter?next_token=a")
    script.returns = script.returns_next = lambda asked: kit.returns_page([], "/returns/search/a")

    with pytest.raises(PanelAnswer, match="came before"):
        seller.read(kind)
    assert len(script.asked) < 6


@pytest.mark.parametrize(
    "answer",
    [{"shipments": []}, {"hasMore": False}, {"hasMore": "no", "shipments": []}, []],
    ids=["no hasMore", "no shipments", "hasMore a text", "a list"],
)
def test_a_page_of_another_shape_fails_the_pass(seller: Any, script: Any, answer: Any) -> None:
    script.search = lambda asked: answer

    with pytest.raises(PanelAnswer):
        seller.read("dispatched")


def test_a_failure_on_page_two_keeps_page_one(seller: Any, script: Any, kit: Any) -> None:
    script.search = lambda asked: kit.page(
        [kit.shipment(kit.line(1))], "/v3/shipments/filter?next_token=two"
    )
    script.next = lambda asked: {"rows": []}
    pages = seller.pages("dispatched")

    assert [change.sku for change in next(pages)] == ["SKU-1"]
    with pytest.raises(PanelAnswer):
        next(pages)
