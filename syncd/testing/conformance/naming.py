"""Rules about names: a row names the line, the parcel and the return that it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from syncd.statuses import RETURN_STATUSES, Kind, NewOrder, Status, StatusChange
from syncd.testing.conformance.base import START, Base, Shop
from syncd.testing.conformance.words import must, rule
from syncd.testing.things import Line, LineSpec, Order


class NamingRules(Base):
    """What a row names is what it befell, by the panel's own names."""

    @rule(
        "A row names the line that it befell, by the line id that the orders have, and no other; "
        "a location is the order's."
    )
    def test_a_row_names_its_line(self) -> None:
        for kind in self.kinds(self.load()):
            with self.shop() as shop:
                struck = [self._befalls_the_last_line(shop, kind, n) for n in range(3)]
                lines = {order.order_id: order.lines for order in struck}
                by_sku = "line_ids" in self.cannot
                for row in self._readable(shop, kind, lines):
                    order = shop.world.order(row.order_id)
                    _check_place(kind, row, order)
                    if isinstance(row, NewOrder):
                        _check_lines(row, order.lines, by_sku=by_sku)
                    elif not _names_its_parcel(shop, row, order):
                        _check_line(kind, row, order.lines, by_sku=by_sku)

    @rule("A parcel has one name: no two share a shipment id, and it is the same in each row.")
    def test_a_parcel_has_one_name(self) -> None:
        plugin = self.load()
        both = (Kind.DISPATCHED, Kind.DELIVERED)
        shown = [k for k in both if k in plugin.kinds and self.main_word(plugin, k) is not None]
        if Kind.DISPATCHED not in shown:
            return
        with self.shop() as shop:
            orders = [self._order_of_two(shop, n) for n in range(3)]
            for order in orders:
                self.happen(shop, Kind.DISPATCHED, order, START - timedelta(minutes=20))
            lines = {order.order_id: order.lines for order in orders}
            sent = self._readable(shop, Kind.DISPATCHED, lines)
            for row in sent:
                must(
                    row.shipment_id or row.tracking_number or "parcels" in self.cannot,
                    f"{Kind.DISPATCHED}: neither shipment id nor tracking number: {row}",
                    "Give the parcel's id or number as the panel shows it; if it shows neither, "
                    "put `parcels` into `cannot`.",
                )
            known = _check_parcels(shop, sent, {})
            if Kind.DELIVERED in shown:
                for order in orders:
                    shop.world.deliver(order.order_id, at=START - timedelta(minutes=5))
                _check_parcels(shop, self._readable(shop, Kind.DELIVERED, lines), known)

    @rule("A row of a return names it by the panel's id of the return.")
    def test_a_return_has_its_name(self) -> None:
        kind = Kind.RETURNS
        if kind not in self.kinds(self.load()):
            return
        with self.shop() as shop:
            orders = [self._befalls_the_last_line(shop, kind, n) for n in range(3)]
            lines = {order.order_id: order.lines for order in orders}
            for row in self._readable(shop, kind, lines):
                ids = shop.world.order(row.order_id).return_ids
                must(
                    row.status not in RETURN_STATUSES
                    or row.return_id in ids
                    or (not row.return_id and "return_ids" in self.cannot),
                    f"{kind}: return_id is {row.return_id!r}, the panel has {ids}: {row}",
                    "Give return_id as the panel shows it: two returns of one line are told apart "
                    "by it alone. If it shows none, put `return_ids` into `cannot`.",
                )

    def _readable(self, shop: Shop, kind: Kind, orders: Iterable[str]) -> list[Any]:
        """The rows of these orders that could be read. Raises Broken where there are none."""
        shop.settle()
        reader = shop.reader()
        reader.learn(list(orders))
        rows = [row for row in reader.read(kind) if not row.problem and row.order_id in orders]
        must(rows, f"{kind}: nothing is told of what happened.", "Read every list of the panel.")
        return rows

    def _befalls_the_last_line(self, shop: Shop, kind: Kind, number: int) -> Order:
        order, at = self._order_of_two(shop, number), START - timedelta(minutes=20 - number)
        self.happen(shop, kind, order, at, order.lines[-1].line_id)
        return order

    def _order_of_two(self, shop: Shop, number: int) -> Order:
        """An order of two lines in a parcel each, or as near to it as the panel comes."""
        count = 1 if {"lines", "whole"} & self.cannot else 2
        specs = [LineSpec(sku=f"SKU-{number}-{n}") for n in range(count)]
        alone = None if "split" in self.cannot else [[(n, 1)] for n in range(count)]
        return shop.world.place_order(specs, split=alone, at=START - timedelta(hours=1))


def _check_place(kind: Kind, row: NewOrder | StatusChange, order: Order) -> None:
    must(
        row.location_id in ("", order.location_id),
        f"{kind}: location_id is {row.location_id!r}, the order is of {order.location_id!r}: {row}",
        "Give the panel's id of the place that the order is sent from, or none.",
    )


def _names_its_parcel(shop: Shop, row: StatusChange, order: Order) -> bool:
    """Whether a row that names no line names a parcel that holds only the line that it befell."""
    line_id = order.lines[-1].line_id
    held = [
        one.contents
        for one in shop.world.parcels.values()
        if one.order_id == order.order_id and line_id in one.contents
    ]
    alone = all(set(contents) == {line_id} for contents in held)
    return bool(row.shipment_id and not row.line_id and not row.sku and alone)


def _check_lines(row: NewOrder, lines: list[Line], *, by_sku: bool) -> None:
    told = sorted((line.line_id, line.sku) for line in row.lines)
    # Some panels have no SKU of the seller's: then it is the line's own id.
    right = [
        sorted((line.line_id, line.sku) for line in lines),
        sorted((line.line_id, line.line_id) for line in lines),
    ]
    if by_sku:
        right.append(sorted((line.sku, line.sku) for line in lines))
    must(
        told in right,
        f"{Kind.ORDERS}: the lines of {row.order_id} are {told}, at the panel {right[0]}.",
        "Give line_id and sku of each line as the panel shows them. If it has no line ids and the "
        "SKU stands in their place, put `line_ids` into `cannot`.",
    )


def _check_line(kind: Kind, row: StatusChange, lines: list[Line], *, by_sku: bool) -> None:
    line = lines[-1]
    must(
        row.line_id or row.sku or len(lines) == 1,
        f"{kind}: neither line_id nor sku, so all lines are meant, but only one is: {row}",
        "Name the line; a panel whose orders have one word altogether says `whole` in `cannot`.",
    )
    must(
        row.line_id or by_sku or len(lines) == 1,
        f"{kind}: no line_id, though the orders have {line.line_id!r} for the SKU {row.sku!r}: "
        f"{row}",
        "Name the line as the orders do, for two lines may have one SKU. If the panel shows only "
        "the SKU there, put `line_ids` into `cannot`.",
    )
    must(
        row.line_id in ("", line.line_id) or (by_sku and row.line_id == line.sku),
        f"{kind}: line_id is {row.line_id!r}, it befell the line {line.line_id!r}: {row}",
        "Give the panel's own line id, the one that its orders have.",
    )
    must(
        row.sku in ("", line.sku, line.line_id),
        f"{kind}: sku is {row.sku!r}, it befell {line.sku!r}: {row}",
        "Give the SKU of the line that the row is about.",
    )


def _check_parcels(shop: Shop, rows: list[StatusChange], known: dict[str, str]) -> dict[str, str]:
    """Whether names and parcels go one by one; returns parcels by shipment id.

    ``known`` is what an earlier word of these parcels has told.
    """
    parcels = {
        (order_id, line_id): parcel
        for parcel in shop.world.parcels.values()
        for order_id in [parcel.order_id]
        for line_id in parcel.contents
    }
    named: dict[str, str] = dict(known)
    for row in rows:
        lines = shop.world.order(row.order_id).lines
        meant = [one for one in lines if row.line_id == one.line_id or row.sku == one.sku]
        line = (meant or lines)[0]
        parcel = parcels[row.order_id, line.line_id]
        must(
            row.tracking_number in ("", parcel.tracking_number),
            f"{row.status}: tracking_number is {row.tracking_number!r}, the parcel has "
            f"{parcel.tracking_number!r}: {row}",
            "Give the number of the parcel that the row is about.",
        )
        if not row.shipment_id or not (meant or len(lines) == 1):
            continue
        if known:
            must(
                row.shipment_id in known,
                f"{row.status}: shipment_id is {row.shipment_id!r}, but at {Status.DISPATCHED} "
                f"the parcel was none of {sorted(known)}: {row}",
                "Give the same shipment_id in every word of a parcel.",
            )
        other = named.setdefault(row.shipment_id, parcel.shipment_id)
        must(
            other == parcel.shipment_id,
            f"{row.status}: two parcels have the shipment_id {row.shipment_id!r}, the second of "
            f"order {row.order_id!r}.",
            "Give the panel's id of the parcel, or make one of order and parcel.",
        )
    return named
