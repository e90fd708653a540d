"""Look at the book through the control API, and compare it with what is true at a panel."""

from __future__ import annotations

import http.client
import json
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tools.demo.panels import LineKey

WORDS: Final[Mapping[str, str]] = {
    "DISPATCHED": "DISPATCHED",
    "SHIPPED": "DISPATCHED",
    "DELIVERED": "DELIVERED",
    "CANCELLED": "CANCELLED",
    "LOST": "LOST",
    "RETURN_EXPECTED": "RETURN_NOTICED_RTO",
    "RETURNED": "RETURNED_RTO",
    "RETURN_ACKNOWLEDGED": "RETURNED_RTO",
    "CIR_CREATED": "RETURN_NOTICED_CIR",
    "CIR_COMPLETE": "RETURNED_CIR",
}
"""The panel's word for a position of the book; every other position is OPEN at the panel."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Api:
    """The daemon's control API; one call at a time over one connection."""

    def __init__(self, path: Path) -> None:
        self._connection = _Connection(path)

    def get(self, path: str) -> Any:
        """The JSON answer, or None for a 404. Raises RuntimeError for any other refusal."""
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()  # an idle connection is dropped by the daemon; once more
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
        body = answer.read()
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: {answer.status} {body[:500]!r}")
        return json.loads(body)

    def order(self, account: str, order_id: str) -> Any:
        """One order with its pieces, parcels and invoices; None if the book has no such order."""
        return self.get(f"/v1/orders/{quote(order_id, safe='')}?account={quote(account)}")


@dataclass
class Look:
    """What the book holds of some orders at one moment."""

    positions: Counter[str] = field(default_factory=Counter)
    words: dict[LineKey, Counter[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    invoices_twice: list[str] = field(default_factory=list)


def look(api: Api, account: str, order_ids: Iterable[str]) -> Look:
    """Read these orders. Orders that the book does not have are in ``missing``."""
    found = Look()
    for order_id in dict.fromkeys(order_ids):
        order = api.order(account, order_id)
        if order is None:
            found.missing.append(order_id)
            continue
        for piece in order["pieces"]:
            position = piece["position"]
            found.positions[position] += 1
            words = found.words.setdefault((order_id, piece["line_id"]), Counter())
            words[WORDS.get(position, "OPEN")] += 1
        found.invoices_twice += [
            package["code"] for package in order["packages"] if _twice(package["invoices"])
        ]
    return found


def _twice(invoices: Iterable[Mapping[str, Any]]) -> bool:
    kinds = Counter(invoice["kind"] for invoice in invoices)
    return any(count > 1 for count in kinds.values())


def differences(truth: Mapping[LineKey, Counter[str]], found: Look) -> list[str]:
    """Each line on which book and panel disagree, and each parcel with two invoices."""
    wrong = []
    for key in sorted(truth.keys() | found.words.keys()):
        there, here = truth.get(key, Counter()), found.words.get(key, Counter())
        if there != here:
            order_id, line_id = key
            wrong.append(f"order {order_id} line {line_id}: panel {dict(there)}, book {dict(here)}")
    wrong += [f"parcel {code} has more than one invoice" for code in found.invoices_twice]
    return wrong
