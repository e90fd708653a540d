"""The kit for authors of channel plugins: a pretend marketplace and a server to show it.

A simulator subclasses :class:`PanelServer` over a :class:`World`. Nothing here imports pytest.
"""

from syncd.clock import Clock, HandClock, SystemClock
from syncd.testing.alone import serve_alone
from syncd.testing.faults import Fault, FaultScript
from syncd.testing.memory import DictMemory
from syncd.testing.messages import BadRequest, Problem, Reply, Request, json_reply
from syncd.testing.panel_server import Logged, PanelServer
from syncd.testing.simulator import Simulator
from syncd.testing.things import (
    AT_BUYER,
    AT_SELLER,
    MADE_UP,
    ON_THE_WAY,
    By,
    Cancellation,
    Event,
    Ids,
    Line,
    LineSpec,
    Order,
    Parcel,
    Piece,
    Return,
    ReturnState,
    State,
    WorldError,
)
from syncd.testing.world import VERBS, LineKey, World, populate

__all__ = [
    "AT_BUYER",
    "AT_SELLER",
    "MADE_UP",
    "ON_THE_WAY",
    "VERBS",
    "BadRequest",
    "By",
    "Cancellation",
    "Clock",
    "DictMemory",
    "Event",
    "Fault",
    "FaultScript",
    "HandClock",
    "Ids",
    "Line",
    "LineKey",
    "LineSpec",
    "Logged",
    "Order",
    "PanelServer",
    "Parcel",
    "Piece",
    "Problem",
    "Reply",
    "Request",
    "Return",
    "ReturnState",
    "Simulator",
    "State",
    "SystemClock",
    "World",
    "WorldError",
    "json_reply",
    "populate",
    "serve_alone",
]
