"""Rules about what a plugin says of itself: its description, settings, and who ships."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from syncd.errors import PanelAnswer
from syncd.hookspecs import Channel, ReportFile, Settings, secret_fields
from syncd.statuses import STATUSES_OF, Kind, Status, StatusChange
from syncd.testing.conformance.base import Base, Shop
from syncd.testing.conformance.reading import Reader
from syncd.testing.conformance.words import Broken, fail, must, rule
from syncd.testing.things import Ships

_SECRET_WORDS: Final = ("secret", "password", "token", "api_key")

_NO_REPORTS: Final[Mapping[str, bytes]] = {
    "empty.csv": b"",
    "page.html": b"<!DOCTYPE html><html><body>Please log in</body></html>",
    "other.csv": b"name,colour\r\nplum,blue\r\n",
    "picture.xlsx": b"\x89PNG\r\n\x1a\n\x00\x00",
}


@contextmanager
def no_network(what: str) -> Iterator[None]:
    """Fail when a socket is connected or a name is looked up inside the block."""
    tried: list[str] = []

    def guard(*arguments: object, **more: object) -> Any:
        tried.append(str(arguments[-1]))
        raise OSError("no network here, says the conformance suite")

    kept = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
    socket.socket.connect = guard  # type: ignore[method-assign]
    socket.socket.connect_ex = guard  # type: ignore[method-assign]
    socket.getaddrinfo = guard
    try:
        yield
    finally:
        socket.socket.connect, socket.socket.connect_ex = kept[:2]  # type: ignore[method-assign]
        socket.getaddrinfo = kept[2]
    must(
        not tried, f"{what} tried to reach {tried[0] if tried else ''}.", "Answer without network."
    )


class DescribedRules(Base):
    """The plugin says what it is, completely and without the network."""

    @rule("describe_channel is pure: no network, and the same answer each time.", needs="plugin")
    def test_describe_channel_is_pure(self) -> None:
        plugin = self.load()
        with no_network("describe_channel"):
            first, second = plugin.hooks.describe_channel(), plugin.hooks.describe_channel()
        must(
            first == second,
            f"Two calls gave {first} and {second}.",
            "Return the same Channel whatever the time, the environment and the calls before.",
        )

    @rule("describe_channel is complete and sane.", needs="plugin")
    def test_describe_channel_is_complete(self) -> None:
        plugin = self.load()
        channel = plugin.channel
        must(channel.title.strip(), "title is empty.", "Name the channel as people know it.")
        must(plugin.kinds, "There is no fetching hook.", "Is @hookimpl missing?")
        for text in channel.unverified:
            must(
                text.strip(),
                f"unverified holds {text!r}.",
                "Write a sentence on each thing that no public source confirms.",
            )
        must(
            isinstance(channel.unverified, tuple),
            f"unverified is a {type(channel.unverified).__name__}.",
            "Make it a tuple of sentences: ('...',).",
        )
        try:
            ZoneInfo(channel.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            fail(f"time_zone {channel.time_zone!r} is no zone.", 'Name one, as "Asia/Kolkata".')
        _check_spans(channel)
        _check_paces(channel)
        _check_words(channel, plugin.kinds)

    @rule("The settings model takes the simulator's settings.")
    def test_settings_take_the_simulators(self) -> None:
        with self.shop() as shop:
            try:
                reader = shop.reader()
            except ValidationError as error:
                fail(str(error), "Let simulator.settings() and the settings model agree.")
            must(
                "base_url" not in shop.server.settings() or reader.account.settings.base_url,
                "base_url got lost.",
                "Declare base_url anew in the settings model of a channel with an address.",
            )

    @rule("What a fetch costs goes by kind, and names paces of the channel.")
    def test_costs_name_paces(self) -> None:
        with self.shop() as shop:
            _check_costs(shop.plugin.channel, shop.reader().account.settings)

    @rule("The settings model refuses unknown keys.")
    def test_settings_refuse_unknown_keys(self) -> None:
        with self.shop() as shop:
            model = shop.plugin.channel.settings
            fields = {**shop.server.settings(), "no_such_key_of_any_panel": 1}
        try:
            model.model_validate(fields)
        except ValidationError:
            return
        fail(
            f"{model.__name__} took the key 'no_such_key_of_any_panel'.",
            'Subclass syncd.Settings and keep its extra="forbid": a misspelt key must be told.',
        )

    @rule("Settings that are secrets are of the type SecretStr.")
    def test_secrets_are_declared(self) -> None:
        with self.shop() as shop:
            model, given = shop.plugin.channel.settings, shop.server.settings()
            secret = secret_fields(model)
            for name in model.model_fields:
                text = given.get(name)
                plain = name not in secret and isinstance(text, str) and text
                must(
                    not (plain and any(word in name for word in _SECRET_WORDS)),
                    f"{model.__name__}.{name} holds a secret in plain text.",
                    "Declare it as pydantic.SecretStr: then no file holds it and no log shows it.",
                )

    @rule("provides_shipping answers from the order alone: no network, and always the same.")
    def test_provides_shipping_needs_no_network(self) -> None:
        with self.shop() as shop:
            if not shop.plugin.gates:
                return
            reader = shop.reader()
            rows = self._told(shop, reader)
        # The panel is stopped now.
        with no_network("provides_shipping"):
            answers = [(row, reader.ships(row), reader.ships(row)) for row in rows]
        for row, first, second in answers:
            must(
                isinstance(first, bool) and first == second,
                f"It said {first!r} and then {second!r} of {row}.",
                "Return True or False, from `order` and the settings alone.",
            )

    @rule(
        "provides_shipping says who ships: yes for the channel's parcels, no for the seller's.",
        unless="seller_ships",
    )
    def test_provides_shipping_says_who_ships(self) -> None:
        with self.shop() as shop:
            if not shop.plugin.gates:
                return
            reader = shop.reader()
            rows = self._told(shop, reader)
            for row in rows:
                order = shop.world.order(row.order_id)
                by = shop.world.parcels[order.shipment_ids[0]].ships_by
                must(
                    bool(reader.ships(row)) == (by == "channel"),
                    f"It said {reader.ships(row)!r} of an order that the {by} ships: {row}.",
                    "Put what decides into `facts` of the order and of each change. A panel that "
                    'shows no orders shipped by the seller says cannot = {"seller_ships"}.',
                )

    @rule("read_report refuses with PanelAnswer what is no report of this panel.")
    def test_read_report_refuses_other_files(self) -> None:
        with self.shop() as shop:
            if not shop.plugin.has("read_report"):
                return
            account = shop.reader().account
        for name, content in _NO_REPORTS.items():
            report = ReportFile(name=name, content=content)
            try:
                with no_network("read_report"):
                    pages = list(shop.plugin.hooks.read_report(account=account, report=report))
            except PanelAnswer:
                continue
            except Exception as error:
                raise Broken(
                    f"{name} ({content[:20]!r}): {type(error).__name__}: {error}",
                    "Raise PanelAnswer that says what was expected and what came.",
                ) from error
            fail(
                f"{name} ({content[:20]!r}) was read as {len(pages)} pages.",
                "Check the head of a file before its rows; raise PanelAnswer where it is another.",
            )

    def _told(self, shop: Shop, reader: Reader) -> list[StatusChange]:
        """Dispatches of parcels that the channel ships, and of some that the seller ships."""
        world, now = shop.world, shop.clock.now()
        ways: list[Ships] = ["channel"] if "seller_ships" in self.cannot else ["channel", "seller"]
        for by in ways:
            for n in range(3):
                at = now - timedelta(minutes=20)
                order = world.place_order([(f"SKU-{by}-{n}", 1)], ships_by=by, at=at)
                world.ship(order.order_id, at=at + timedelta(minutes=5))
        shop.settle()
        reader.learn(list(world.orders))
        kinds = [kind for kind in reader.plugin.kinds if kind is Kind.DISPATCHED]
        rows = [row for kind in kinds for row in reader.read(kind)]
        return [row for row in rows if row.status is not Status.UNKNOWN]


def _check_spans(channel: Channel) -> None:
    zero = timedelta(0)
    for name in ("safety_lag", "overlap"):
        span = getattr(channel, name)
        must(span >= zero, f"{name} is {span}.", "Make it zero or more.")
    limits = [("longest_window", channel.longest_window)]
    if channel.look_back_limit is not None:
        limits.append(("look_back_limit", channel.look_back_limit))
    for name, span in limits:
        must(span > zero, f"{name} is {span}.", "Make it longer than nothing.")
        must(
            span > channel.overlap,
            f"{name} ({span}) is not longer than overlap ({channel.overlap}).",
            "A window begins one overlap before the cursor: it must reach past it.",
        )
    must(
        channel.orders_per_call >= 1,
        f"orders_per_call is {channel.orders_per_call}.",
        "Make it at least 1.",
    )
    must(channel.reads_by, "reads_by is empty.", "Say how the panel can be asked.")


def _check_paces(channel: Channel) -> None:
    for name, pace in channel.paces.items():
        must(
            pace.per_second > 0 and pace.burst >= 1,
            f"paces[{name!r}] is {pace}.",
            "A pace has more than 0 calls a second and a burst of at least 1.",
        )


def _check_costs(channel: Channel, settings: Settings) -> None:
    for kind, costs in channel.costs_of(settings).items():
        for cost in costs:
            must(
                kind in [one.value for one in Kind] and cost.rows >= 0 and cost.calls >= 0,
                f"costs[{kind!r}] is {cost}.",
                "Costs go by kind; rows is 0 for no call by the order.",
            )
            must(
                cost.pace in (*channel.paces, "default"),
                f"costs[{kind!r}] names the pace {cost.pace!r}.",
                f"Name one of {sorted(channel.paces)}.",
            )


def _check_words(channel: Channel, kinds: list[Kind]) -> None:
    reachable = {Status.UNKNOWN}.union(*(STATUSES_OF[kind] for kind in kinds))
    odd = sorted(set(channel.statuses) - reachable)
    must(
        not odd,
        f"statuses holds {odd}, which no hook of this plugin may yield.",
        f"The hooks are for {', '.join(kinds)}; leave out what they cannot report.",
    )
    odd_kinds = sorted(set(channel.window_only) - {kind.value for kind in Kind})
    must(not odd_kinds, f"window_only holds {odd_kinds}.", 'Name kinds, such as "returns".')
    settings: Any = channel.settings
    must(
        isinstance(settings, type) and issubclass(settings, Settings),
        f"settings is {settings!r}.",
        "Make it a subclass of syncd.Settings.",
    )
