"""The simulated panels: start each, tell its accounts, and act in them as people would."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import requests

from syncd.channels import discover
from syncd.hookspecs import ReadsBy, secret_fields
from syncd.statuses import Status
from tools.demo.children import Child

LineKey = tuple[str, str]  # order id, line id

SELLERS: Final = 2  # accounts of each channel


def simulated() -> list[str]:
    """The channels that have a simulator."""
    return sorted(one.name for one in entry_points(group="syncd.simulators"))


def people_of(channel: str, child: Child) -> list[PanelPeople]:
    """One for each seller of a channel's simulator."""
    told = child.announcement()
    return [
        PanelPeople(
            channel,
            number,
            seller_id,
            told["sellers"][seller_id],
            told["url"],
            parts=not told["whole_orders"],
        )
        for number, seller_id in enumerate(told["sellers"], 1)
    ]


class PanelPeople:
    """The people around one seller of a simulated panel: buyers, sellers and couriers, through
    its control calls."""

    def __init__(
        self,
        channel: str,
        number: int,
        seller_id: str,
        told: Mapping[str, Any],
        url: str,
        *,
        parts: bool = True,
    ) -> None:
        self.channel = channel
        self.account = f"my-{channel}" if number == 1 else f"my-{channel}-{number}"
        self.seller_id = seller_id
        self.parts = parts  # can the panel tell what befalls a part of an order?
        self._locations: list[str] = told["locations"]
        self._settings: dict[str, Any] = told["settings"]
        self._url = url
        described = discover()[channel].describe()
        self._statuses = described.statuses
        by_window = ReadsBy.WINDOW in described.reads_by or "orders" in described.window_only
        self.finds = by_window  # does the channel find orders that nobody names?
        self._secrets = secret_fields(described.settings)
        self._session = requests.Session()

    def tells(self, status: Status | None) -> bool:
        """Whether this panel can say so at all; what is no status needs no word of it."""
        return status is None or not self._statuses or status in self._statuses

    def do(self, verb: str, *, at: datetime | None = None, **arguments: object) -> Any:
        """Call a verb of the simulated world; it happens ``at`` that time."""
        body = {key: value for key, value in arguments.items() if value is not None}
        if at is not None:
            body["at"] = at.isoformat()
        answer = self._session.post(f"{self._url}/control/{verb}", json=body, timeout=10)
        if answer.status_code != 200:
            raise RuntimeError(f"{self.channel}: {verb} {body}: {answer.text}")
        return answer.json()

    def publish(self) -> None:
        """Let people download the reports of now, where a panel has only those."""
        self.do("publish")

    def truth(self) -> dict[LineKey, Counter[str]]:
        """What is true at the panel: per order and line, how many pieces stand where."""
        answer = self._session.get(
            f"{self._url}/control/truth", params={"seller_id": self.seller_id}, timeout=30
        )
        answer.raise_for_status()
        return {(row["order_id"], row["line_id"]): Counter(row["words"]) for row in answer.json()}

    def config(self, locations: Mapping[str, str]) -> str:
        """This account as tables of the configuration file."""
        places = {**dict.fromkeys(self._locations, "BLR"), **locations}
        return "\n".join(
            [
                f"[accounts.{self.account}]",
                f'channel = "{self.channel}"',
                'tenant = "acme"',
                'facility = "BLR"',
                f"locations = {_toml(places)}",
                "",
                f"[accounts.{self.account}.settings]",
                *(f"{name} = {self._value(name)}" for name in self._settings),
                "",
            ]
        )

    def write_secrets(self, folder: Path) -> None:
        """Put each secret into a file that only its owner can read."""
        for name in self._secrets.keys() & self._settings.keys():
            path = folder / self._file(name)
            path.touch(mode=0o600)
            path.write_text(self._settings[name])

    def _value(self, name: str) -> str:
        if name in self._secrets:
            return _toml({"file": self._file(name)})
        return _toml(self._settings[name])

    def _file(self, name: str) -> str:
        return f"{self.account}.{name}"


def _toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
