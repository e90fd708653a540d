"""What a pass needs to know of an account and to reach its panel, from the configuration."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import structlog

from syncd._pace import Buckets
from syncd.channels import Channels
from syncd.clock import Clock
from syncd.config import Loaded
from syncd.errors import Refused
from syncd.hookspecs import Pace
from syncd.panel import Panel
from syncd.passes import Setup, policies_of
from syncd.rules import Brake
from syncd.statuses import Account, Kind
from syncd.tokens import TokenStore


class Wiring:
    """The configuration in force, as ``passes`` asks for it. Replaced whole at a reload."""

    def __init__(
        self, loaded: Loaded, channels: Channels, tokens: TokenStore, clock: Clock
    ) -> None:
        self.channels = channels
        self.loaded = loaded
        self.unavailable: Mapping[str, str] = loaded.unavailable
        self._tokens = tokens
        self._clock = clock
        self._buckets: dict[str, tuple[Mapping[str, Pace], Buckets]] = {}

    def replace(self, loaded: Loaded, unavailable: Mapping[str, str]) -> None:
        """Take over another configuration; runs that have begun keep what they were given."""
        self.loaded = loaded
        self.unavailable = unavailable

    def setup(self, account: str) -> Setup:
        """What the configuration says of an account. Raises Refused when it cannot run."""
        loaded = self.loaded
        reason = self.unavailable.get(account, "it is not in the configuration")
        if account in self.unavailable or account not in loaded.settings:
            raise Refused(f"Account {account} cannot run: {reason}", code="account_disabled")
        config = loaded.config.accounts[account]
        return Setup(
            account=Account(
                name=account, channel=config.channel, settings=loaded.settings[account]
            ),
            channel=self.channels[config.channel].of(loaded.settings[account]),
            look_back={kind: task.look_back for kind, task in config.tasks.items()},
            locations=config.locations,
            brake=Brake(config.brake.enabled, config.brake.share, config.brake.floor),
            policies=policies_of(config),
            audit_days=config.audit.closed_days,
        )

    def panel(self, setup: Setup, stop: threading.Event) -> Panel:
        """A new client for one run."""
        account, config = setup.account, self.loaded.config
        return Panel(
            account.settings.base_url,
            account=account.name,
            clock=self._clock,
            tokens=self._tokens,
            stop=stop,
            buckets=self._buckets_of(setup),
            log=structlog.get_logger("syncd.panel").info,
            proxies=dict.fromkeys(("http", "https"), config.proxy) if config.proxy else None,
            ca_bundle=config.ca_bundle or None,
        )

    def _buckets_of(self, setup: Setup) -> Buckets:
        """The account's pace, which outlives a run: the panel counts the calls of all of them."""
        paces = setup.channel.describe().paces
        known = self._buckets.get(setup.account.name)
        if known is None or known[0] is not paces:
            known = self._buckets[setup.account.name] = (
                paces, Buckets(paces, self._clock.monotonic())
            )  # fmt: skip
        return known[1]

    def runnable(self) -> list[str]:
        """The accounts that can run."""
        return [name for name in self.loaded.settings if name not in self.unavailable]

    def offered(self, loaded: Loaded) -> dict[str, frozenset[Kind]]:
        """The kinds of pass that each account's channel has."""
        return {
            name: self.channels[loaded.config.accounts[name].channel].of(settings).kinds
            for name, settings in loaded.settings.items()
        }

    def changed(self, new: Loaded) -> list[str]:
        """Accounts that run now and would run otherwise with ``new``; times do not count."""
        return [
            name
            for name in self.runnable()
            if self._face(self.loaded, name) != self._face(new, name)
        ]

    @staticmethod
    def _face(loaded: Loaded, name: str) -> object:
        account = loaded.config.accounts.get(name)
        if account is None:
            return None
        look_back = {kind: task.look_back for kind, task in account.tasks.items()}
        place = (account.channel, account.tenant, account.facility, dict(account.locations))
        mine = (account.brake, account.policies, account.audit.closed_days)
        return (*place, loaded.settings.get(name), look_back, *mine)
