"""The simulated panels: start each, tell its account, and act in it as people would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import requests

from tools.demo.children import Child

LineKey = tuple[str, str]  # order id, line id


@dataclass(frozen=True)
class Simulated:
    """A channel that has a simulator. ``settings``: announcement -> lines of the config file;
    ``secrets``: announcement -> name and value of each secret that the settings refer to."""

    channel: str
    module: str
    settings: Callable[[Mapping[str, Any]], list[str]]
    secrets: Callable[[Mapping[str, Any]], dict[str, str]]


CHANNELS: Final = (
    Simulated(
        channel="flipkart",
        module="syncd_flipkart.simulator",
        settings=lambda told: [
            f'base_url = "{told["url"]}"',
            f'app_id = "{told["client_id"]}"',
            'app_secret = { file = "flipkart.secret" }',
            'pace = "unlimited"',
            "page_size = 100",
        ],
        secrets=lambda told: {"flipkart.secret": told["client_secret"]},
    ),
)


class PanelPeople:
    """The people at a simulated panel: buyers, sellers and couriers, through its control calls."""

    def __init__(self, simulated: Simulated, child: Child) -> None:
        self.channel = simulated.channel
        self.account = f"my-{simulated.channel}"
        self._simulated = simulated
        self.told = child.announcement()
        self._session = requests.Session()

    def do(self, verb: str, *, at: datetime | None = None, **arguments: object) -> Any:
        """Call a verb of the simulated world; it happens ``at`` that time."""
        body = {key: value for key, value in arguments.items() if value is not None}
        if at is not None:
            body["at"] = at.isoformat()
        answer = self._session.post(f"{self.told['url']}/control/{verb}", json=body, timeout=10)
        if answer.status_code != 200:
            raise RuntimeError(f"{self.channel}: {verb} {body}: {answer.text}")
        return answer.json()

    def truth(self) -> dict[LineKey, Counter[str]]:
        """What is true at the panel: per order and line, how many pieces stand where."""
        answer = self._session.get(f"{self.told['url']}/control/truth", timeout=30)
        answer.raise_for_status()
        return {(row["order_id"], row["line_id"]): Counter(row["words"]) for row in answer.json()}

    def config(self, locations: Mapping[str, str]) -> str:
        """This account as tables of the configuration file."""
        places = {self.told["location_id"]: "BLR", **locations}
        mapped = ", ".join(f'"{name}" = "{code}"' for name, code in places.items())
        return "\n".join(
            [
                f"[accounts.{self.account}]",
                f'channel = "{self.channel}"',
                'tenant = "acme"',
                'facility = "BLR"',
                f"locations = {{ {mapped} }}",
                "",
                f"[accounts.{self.account}.settings]",
                *self._simulated.settings(self.told),
                "",
            ]
        )

    def write_secrets(self, folder: Path) -> None:
        """Put each secret into a file that only its owner can read."""
        for name, value in self._simulated.secrets(self.told).items():
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(value)
