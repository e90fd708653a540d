"""What every channel's simulator has in common, so that kit, demo and a person can use it."""

from __future__ import annotations

import argparse
import gc
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from syncd.clock import Clock, HandClock, SystemClock
from syncd.testing.alone import serve_alone
from syncd.testing.faults import FaultScript
from syncd.testing.panel_server import PanelServer
from syncd.testing.world import World, populate


class Simulator(PanelServer, ABC):
    """A panel of one channel over a shared world, ready to be talked to by its plugin.

    Named under the entry point group ``syncd.simulators`` it is what ``syncd simulate CHANNEL``
    runs. A subclass writes ``answer`` and ``settings``, and ``new_world`` where its
    panel's ids have a form of their own. It serves all sellers of the world.
    """

    channel: ClassVar[str]
    """The channel's name, as the plugin's entry point has it."""
    whole_orders: ClassVar[bool] = False
    """The panel has one word for a whole order: what befalls a part of one cannot be shown."""

    @classmethod
    def new_world(cls, clock: Clock, *, seed: int = 0) -> World:
        """A world with one seller, whose ids have the forms of this panel."""
        return World(clock)

    @classmethod
    def over(
        cls, world: World, clock: Clock, faults: FaultScript | None = None, *, port: int = 0
    ) -> Self:
        """A simulator as the kit and the demo use it."""
        return cls(world, clock, faults, port=port)

    @abstractmethod
    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """The ``settings`` of an account of this seller (the first one if empty), secrets in
        clear, for a plugin that asks as fast as the simulator answers."""

    def publish(self) -> None:
        """Called before a plugin asks: where people make report files, they make them now."""

    def warm(self) -> None:
        """Called once, after many orders were placed and before it serves."""

    @classmethod
    def main(cls, arguments: Sequence[str] | None = None, *, prog: str | None = None) -> None:
        """Run it alone until SIGTERM, SIGINT or the end of a pipe to standard input.

        The first line of output is a JSON object: its address, and the settings of each seller.
        """
        parser = _arguments(prog or f"syncd simulate {cls.channel}")
        wish = parser.parse_args(arguments)
        clock: Clock = HandClock(wish.hand_clock) if wish.hand_clock else SystemClock()
        world = cls.new_world(clock, seed=wish.seed)
        for number in range(2, wish.sellers + 1):
            world.add_seller(f"seller-{number}", [f"location-{number}"])
        gc.disable()  # many small records that all stay: nothing to collect
        populate(world, wish.orders, dispatched=wish.dispatched)
        try:
            server = cls.over(world, clock, port=wish.port)
        except (OSError, OverflowError) as error:
            parser.error(f"port {wish.port} cannot be taken: {error}")
        server.warm()
        gc.freeze()
        gc.enable()
        sellers = {
            seller_id: {"locations": places, "settings": dict(server.settings(seller_id))}
            for seller_id, places in world.sellers.items()
        }
        announcement = {
            "channel": cls.channel,
            "orders": wish.orders,
            "whole_orders": cls.whole_orders,
            "sellers": sellers,
        }
        serve_alone(server, announcement, watch_stdin=not wish.no_stdin)


def _arguments(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--sellers", type=int, default=1, help="so many seller logins")
    parser.add_argument("--orders", type=int, default=0, help="begin with so many orders")
    parser.add_argument("--dispatched", action="store_true", help="and let them be picked up")
    parser.add_argument("--seed", type=int, default=0, help="names of orders come from it")
    parser.add_argument(
        "--hand-clock",
        metavar="TIME",
        nargs="?",
        const="2026-11-20T06:00:00Z",
        type=_moment,
        help="time stands still until POST /control/clock moves it",
    )
    parser.add_argument(
        "--no-stdin", action="store_true", help="go on when a pipe to standard input ends"
    )
    return parser


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time") from None
