"""The yardstick: the same pages, pulled by a bare loop and upserted, and nothing more.

No journal, no decision, no stock and no message: one table of seven columns, written page by
page with ``executemany`` (WAL, synchronous=NORMAL). What a machine gives this loop tells how
numbers of different machines compare.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import requests

from syncd_flipkart.settings import FlipkartSettings
from syncd_flipkart.statuses import LEFT_STATES

_PROFILES: Final = FlipkartSettings.model_fields["service_profiles"].default

_TABLE: Final = (
    "CREATE TABLE line (id TEXT PRIMARY KEY, order_id TEXT, shipment_id TEXT, sku TEXT, "
    "quantity INTEGER, status TEXT, updated_at TEXT) WITHOUT ROWID"
)
_UPSERT: Final = (
    "INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
    "quantity = excluded.quantity, status = excluded.status, updated_at = excluded.updated_at"
)
_PREFIX: Final = "/sellers"  # the next link of a page comes without it


def pull_raw(panel: dict[str, Any], page_size: int, path: Path) -> dict[str, float]:
    """Pull every dispatched line of the panel into a new database at ``path``; the numbers."""
    with sqlite3.connect(path) as store:
        store.execute("PRAGMA journal_mode = wal")
        store.execute("PRAGMA synchronous = normal")
        store.execute(_TABLE)
        wall, cpu = time.perf_counter(), time.process_time()
        for page in _pages(panel, page_size):
            store.executemany(_UPSERT, _lines(page["shipments"]))
            store.commit()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rows = int(store.execute("SELECT count(*) FROM line").fetchone()[0])
    store.close()
    return {
        "changes": rows,
        "per_second": round(rows / wall),
        "cpu_seconds_per_100k": round(cpu / max(1, rows) * 100_000, 2),
    }


def _lines(shipments: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for shipment in shipments:
        for item in shipment["orderItems"]:
            yield (
                item["orderItemId"], item["orderId"], shipment["shipmentId"], item["sku"],
                int(item["quantity"]), item["status"], shipment["updatedAt"],
            )  # fmt: skip


def _pages(panel: dict[str, Any], page_size: int) -> Iterator[dict[str, Any]]:
    url = panel["base_url"]
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            f"{url}/oauth-service/oauth/token",
            params={"grant_type": "client_credentials", "scope": "Seller_Api"},
            auth=(panel["app_id"], panel["app_secret"]),
            timeout=60,
        )
        answer.raise_for_status()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        for profile in _PROFILES:
            yield from _search(session, url, profile, page_size)


def _search(
    session: requests.Session, url: str, profile: str, page_size: int
) -> Iterator[dict[str, Any]]:
    body = {
        "filter": {"type": "postDispatch", "states": LEFT_STATES, "serviceProfiles": [profile]},
        "pagination": {"pageSize": page_size},
        "sort": {"field": "modifiedDate", "order": "asc"},
    }
    answer = session.post(f"{url}{_PREFIX}/v3/shipments/filter", json=body, timeout=60)
    while True:
        answer.raise_for_status()
        page = json.loads(answer.content)
        yield page
        if not page["hasMore"]:
            return
        answer = session.get(url + _PREFIX + page["nextPageUrl"], timeout=60)
