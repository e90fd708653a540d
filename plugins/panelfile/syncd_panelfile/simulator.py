"""Pretend people who download a panel's reports into a folder, over a world of ``syncd.testing``.

``publish()`` (or ``POST /control/publish``) writes three files for each seller, as three habits:
open orders as CSV with a byte order mark, movements as tab separated UTF-16, returns as XLSX.
"""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from openpyxl import Workbook

from syncd.testing import (
    AT_SELLER,
    Clock,
    Event,
    FaultScript,
    Return,
    ReturnState,
    Simulator,
    SystemClock,
    World,
)

CANNOT: Final = frozenset(
    {
        "json", "garble", "empty", "repeat", "ring", "foreign", "no_link", "stray_link",
        "stream", "cancel_in_transit", "by_event",
    }
)  # fmt: skip
"""What the conformance suite cannot ask of report files, for each channel that reads them."""
NOTHING_NEW: Final = timedelta(minutes=5)
INDIA: Final = ZoneInfo("Asia/Kolkata")
COLUMNS: Final[Mapping[str, str]] = {
    "order_id": "Order ID",
    "line_id": "Item ID",
    "sku": "SKU",
    "quantity": "Qty",
    "title": "Product",
    "placed_at": "Ordered On",
    "location_id": "Warehouse",
    "status": "Status",
    "occurred_at": "Updated On",
    "shipment_id": "Shipment",
    "tracking_number": "AWB",
    "courier": "Courier",
    "return_id": "Return ID",
    "return_type": "Return Type",
    "ships": "Shipped By",
}
STATUSES: Final[Mapping[str, str]] = {
    "New": "ignore",
    "Shipped": "DISPATCHED",
    "Delivered": "DELIVERED",
    "Cancelled": "CANCELLED",
    "Lost": "LOST",
    "In transit to seller": "RETURN_NOTICED RTO",
    "Received by seller": "RETURNED RTO",
    "Return dropped": "RETURN_WITHDRAWN RTO",
}
RETURN_TYPES: Final[Mapping[str, str]] = {"Courier return": "RTO", "Customer return": "CIR"}
SHIPS_WORDS: Final[Mapping[str, str]] = {"Platform": "channel", "Self": "seller"}

_TYPE_WORDS: Final = {"RTO": "Courier return", "CIR": "Customer return"}
_MOVES: Final = {
    "picked_up": "Shipped", "shipped": "Shipped", "delivered": "Delivered",
    "cancelled": "Cancelled", "lost": "Lost",
}  # fmt: skip
_BACKS: Final = {
    ReturnState.CREATED: "In transit to seller",
    ReturnState.SERVICE_REQUESTED: "In transit to seller",
    ReturnState.CANCELLING: "In transit to seller",
    ReturnState.COMPLETED: "Received by seller",
    ReturnState.CANCELLED: "Return dropped",
    ReturnState.REJECTED: "Return dropped",
}
_ORDER_HEAD: Final = (
    "Order ID", "Item ID", "SKU", "Qty", "Product", "Ordered On", "Warehouse", "Shipped By",
    "Status", "Buyer",
)  # fmt: skip
_MOVE_HEAD: Final = (
    "Order ID", "Item ID", "SKU", "Shipment", "Status", "Qty", "Updated On", "AWB", "Courier",
    "Shipped By",
)  # fmt: skip
_BACK_HEAD: Final = (
    "Order ID", "Item ID", "SKU", "Return ID", "Return Type", "Status", "Qty", "Updated On", "AWB",
    "Shipped By",
)  # fmt: skip


class PanelfileSimulator(Simulator):
    """A folder for each seller, in a temporary one that goes when the simulator stops."""

    channel = "panelfile"
    words: ClassVar[frozenset[str]] = frozenset(STATUSES)
    """Which words of a state this panel's files have."""

    def __init__(
        self,
        world: World | None = None,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
        *,
        port: int = 0,
    ) -> None:
        clock = clock or (world.clock if world else SystemClock())
        super().__init__(world or World(clock), clock, faults, port=port)
        self._temporary = TemporaryDirectory(prefix="syncd-reports-")
        self._writing = threading.Lock()
        self._count = 0
        self._written = -1  # the world's version at the last download
        self._at = clock.now()

    def folder(self, seller_id: str = "") -> Path:
        """Where the files of a seller are put."""
        sellers = list(self.world.sellers)
        place = Path(self._temporary.name) / str(sellers.index(seller_id or sellers[0]) + 1)
        if place.parent.is_dir():  # not after it has stopped
            place.mkdir(exist_ok=True)
        return place

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller. Its files are renamed into place, so always whole."""
        return {
            "folder": str(self.folder(seller_id)),
            "columns": dict(COLUMNS),
            "statuses": {word: STATUSES[word] for word in STATUSES if word in self.words},
            "return_types": dict(RETURN_TYPES),
            "ships_words": dict(SHIPS_WORDS),
            "settle_seconds": 0,
        }

    def stop(self) -> None:
        """End, and remove the folders."""
        super().stop()
        self._temporary.cleanup()

    def publish(self) -> None:
        """Write the reports of now, without what the panel does not show yet.

        Nobody downloads the same again while nothing has happened.
        """
        with self._writing:
            now = self.clock.now()
            until = now - timedelta(seconds=self.faults.lag_seconds)
            if self._written == self.world.version and now - self._at < NOTHING_NEW:
                return
            self._written, self._at = self.world.version, now
            self._count += 1
            with self.world.lock:
                files = [
                    (self.folder(seller_id), name, content)
                    for seller_id in self.world.sellers
                    for name, content in self._reports(seller_id, until).items()
                ]
            for folder, name, content in files:
                self._put(folder / f"{self._count:04d}-{name}", content)

    def _reports(self, seller_id: str, until: datetime) -> dict[str, bytes]:
        found = {
            "orders.csv": _csv(_ORDER_HEAD, self._orders(seller_id, until)),
            "movements.tsv": _tsv(_MOVE_HEAD, self._moves(seller_id, until)),
        }
        if "Received by seller" in self.words:
            found["returns.xlsx"] = _xlsx(_BACK_HEAD, self._returns(seller_id, until))
        return found

    def _put(self, path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(content)
        made = self.clock.now().timestamp() - 1  # a download takes a moment
        os.utime(part, (made, made))
        part.rename(path)

    def _orders(self, seller_id: str, until: datetime) -> Iterable[Sequence[object]]:
        for order in self.world.orders.values():
            pieces = [piece for line in order.lines for piece in line.pieces]
            if (
                order.seller_id != seller_id
                or order.placed_at > until
                or not any(piece.state in AT_SELLER for piece in pieces)
            ):
                continue
            for line in order.lines:
                yield (
                    f'="{order.order_id}"', f"'{line.line_id}", line.sku, len(line.pieces),
                    line.title, _slashed(order.placed_at), order.location_id,
                    self._ships(order.shipment_ids[0]), "New", "A. Buyer",
                )  # fmt: skip

    def _moves(self, seller_id: str, until: datetime) -> Iterable[Sequence[object]]:
        """What moved, as totals: how many pieces of a line, and the last of them when."""
        totals: dict[tuple[str, str, str, str], tuple[set[int], Event]] = {}
        for event in self.world.history:
            word = _MOVES.get(event.word, "")
            parcel = self.world.parcels[event.shipment_id]
            if word not in self.words or parcel.seller_id != seller_id or event.at > until:
                continue
            place = "" if word == "Cancelled" else event.shipment_id
            pieces, _ = totals.setdefault((event.line_id, place, word, ""), (set(), event))
            if not set(event.pieces) <= pieces:
                pieces.update(event.pieces)
                totals[event.line_id, place, word, ""] = pieces, event
        for (line_id, place, word, _), (pieces, last) in totals.items():
            parcel = self.world.parcels[last.shipment_id]
            yield (
                last.order_id, line_id, self.world.lines[line_id].sku, place, word, len(pieces),
                last.at.astimezone(INDIA).isoformat(sep=" ")[:26],
                parcel.tracking_number if place else "", parcel.courier,
                self._ships(last.shipment_id),
            )  # fmt: skip

    def _returns(self, seller_id: str, until: datetime) -> Iterable[Sequence[object]]:
        for back in self.world.returns.values():
            word = _BACKS.get(back.state)
            if back.seller_id == seller_id and word and back.modified_at <= until:
                yield self._back(back, word)

    def _back(self, back: Return, word: str) -> Sequence[object]:
        return (
            back.order_id, back.line_id, self.world.lines[back.line_id].sku, back.return_id,
            _TYPE_WORDS[back.kind.value], word, len(back.pieces),
            back.modified_at.astimezone(INDIA).replace(tzinfo=None, microsecond=0),
            back.tracking_number, self._ships(back.shipment_id),
        )  # fmt: skip

    def _ships(self, shipment_id: str) -> str:
        return "Self" if self.world.parcels[shipment_id].ships_by == "seller" else "Platform"


def _slashed(moment: datetime) -> str:
    return moment.astimezone(INDIA).strftime("%d/%m/%Y %H:%M:%S")


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    listed = list(rows)
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(["Orders to pack"])
    writer.writerow(head)
    writer.writerows(listed)
    writer.writerow(["Total", len(listed)])
    return text.getvalue().encode("utf-8-sig")


def _tsv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, delimiter="\t")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode("utf-16")


def _xlsx(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Returns")
    sheet.append(list(head))
    for row in rows:
        sheet.append(list(row))
    data = BytesIO()
    book.save(data)
    return data.getvalue()
