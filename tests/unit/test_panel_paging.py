"""Next links stay at the panel, lead somewhere new, and come to an end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import Struct

from syncd.errors import PanelAnswer
from syncd.panel import Links, Panel
from syncd.tokens import Token
from tests.unit.wire import NOON, Wire, panel_at


class Ok(Struct):
    ok: bool


def authorise(panel: Panel, old: Token | None) -> Token:
    return panel.new_token("T0KEN-abcdef", expires_in=3600)


@pytest.mark.parametrize(
    ("link", "prefix", "path"),
    [
        ("/v3/filter?next_token=ab==", "/sellers", "/sellers/v3/filter?next_token=ab=="),
        ("/returns/search/abc", "", "/returns/search/abc"),
        ("/x?q=a b", "", "/x?q=a%20b"),
        ("{url}/next?p=2", "/sellers", "/next?p=2"),
    ],
)
def test_a_link_is_followed_at_the_panel(link: str, prefix: str, path: str) -> None:
    with Wire() as wire:
        panel = panel_at(wire.url)
        panel.follow(link.format(url=wire.url), shape=Ok, prefix=prefix, authorise=authorise)
    assert wire.paths == [path]
    assert wire.seen[0].headers["authorization"] == "Bearer T0KEN-abcdef"


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/x?next=SECRET",
        "//evil.example/x",
        "http://127.0.0.1:1/x",
        "https://127.0.0.1:{port}/x",
        "http://127.0.0.1:{port}@evil.example/x",
        "http://user@127.0.0.1:{port}/x",
        "http://127.0.0.1:{port}\\@evil.example/x",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://[::1",
        "v3/x",
    ],
)
def test_fault_A15_a_link_to_elsewhere_is_refused_before_anything_is_sent(link: str) -> None:
    with Wire() as wire:
        panel = panel_at(wire.url)
        with pytest.raises(PanelAnswer) as caught:
            panel.follow(link.format(port=wire.port), shape=Ok, authorise=authorise)
    assert caught.value.code == "link_elsewhere"
    assert "SECRET" not in str(caught.value)
    assert wire.seen == []


def test_fault_A15_an_odd_path_is_a_path_at_the_panel() -> None:
    with Wire() as wire:
        panel_at(wire.url).follow("/\\evil.example/x", shape=Ok)
    assert wire.paths == ["/%5Cevil.example/x"]


def test_fault_A13_no_link_where_there_should_be_one() -> None:
    with pytest.raises(PanelAnswer) as caught:
        panel_at("https://a.example").follow("", shape=Ok)
    assert caught.value.code == "paging_broken"


@pytest.mark.parametrize(("more", "link"), [(True, None), (True, ""), (False, "/x")])
def test_fault_A13_the_panels_two_words_on_the_end_contradict(more: bool, link: str | None) -> None:
    with pytest.raises(PanelAnswer) as caught:
        Links().next(more, link)
    assert caught.value.code == "paging_broken"


def test_the_next_link_until_the_end() -> None:
    links = Links()
    assert links.next(True, "/a") == "/a"
    assert links.next(True, "/b") == "/b"
    assert links.next(False, None) is None
    assert links.next(False, "") is None


@pytest.mark.parametrize("ring", [["/a", "/a"], ["/a", "/b", "/c", "/b"]])
def test_fault_A14_a_link_to_itself_or_in_a_ring_is_found(ring: list[str]) -> None:
    links = Links()
    for link in ring[:-1]:
        links.fresh(link)
    with pytest.raises(PanelAnswer) as caught:
        links.fresh(ring[-1])
    assert caught.value.code == "paging_loop"


def test_fault_A14_a_paging_without_an_end_is_given_up() -> None:
    links = Links(max_links=100)
    for number in range(100):
        links.fresh(f"/x?page={number}")
    with pytest.raises(PanelAnswer, match="more than 100 links") as caught:
        links.fresh("/x?page=100")
    assert caught.value.code == "paging_loop"


def test_a_new_token_lives_from_now() -> None:
    token = panel_at("https://a.example").new_token("x", expires_in=60)
    assert token.expires_at == NOON + timedelta(seconds=60)
    assert token.obtained_at == NOON
