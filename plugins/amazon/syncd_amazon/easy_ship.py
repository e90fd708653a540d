"""Which orders go by Easy Ship, and where their parcels' state is found when it is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from syncd_amazon.api import Amazon
from syncd_amazon.seen import Box, Seen
from syncd_amazon.statuses import Stage, easy_ship_stage

EASY_SHIP: Final = "AMAZON_EASY_SHIP"
LEFT: Final = frozenset({Stage.LEFT, Stage.BY_LINE})
_EZ: Final = re.compile(r"\bEZ\b")


def fill_states(amazon: Amazon, seen: Iterable[Seen]) -> None:
    """Ask elsewhere for the state of Easy Ship parcels of which the page says too little.

    UNDELIVERABLE alone does not say whether a parcel is lost, coming back or back, and an order
    that has left without any parcel says nothing of it.
    """
    open_ends: dict[str, Seen] = {}
    for order in seen:
        if order.facts.get("fulfilledBy") != "MFN":
            continue
        if not order.boxes and order.stage in LEFT and is_easy_ship(order.facts):
            shipped = {line.line_id: line.shipped for line in order.lines if line.shipped}
            order.boxes.append(Box("", order.word, Stage.UNDELIVERABLE, shipped))
        if any(box.stage is Stage.UNDELIVERABLE for box in order.boxes):
            open_ends[order.order_id] = order
    if not open_ends:
        return
    for order_id, word in amazon.easy_ship_states(list(open_ends)).items():
        boxes = open_ends[order_id].boxes if order_id in open_ends else []
        if len(boxes) == 1:  # the other sources speak of the order, not of a parcel
            boxes[0].word, boxes[0].stage = word, easy_ship_stage(word)


def is_easy_ship(facts: Mapping[str, str]) -> bool:
    """Whether what is known of an order says so."""
    return "easyShip" in facts or bool(_EZ.search(facts.get("serviceLevel", "")))
