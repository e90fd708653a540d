"""The token of one account: when a new one is fetched, and by whom.

One refresh at a time, also between processes: under the account's lock the store is read
again first, and a token that another already fetched is used instead of asking again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from syncd.clock import Clock
from syncd.errors import PanelError, PanelRefused
from syncd.tokens import Token, TokenStore

MARGIN: Final = 60.0  # seconds before its end at which a token is renewed
LEAST_GAP: Final = 60.0  # seconds between two refreshes

Fetch = Callable[[Token | None], Token]


class Bearer:
    """Holds the token in use. ``fetch`` turns the old token into a new one at the panel.

    The wall clock is read only when a token is taken up; from then on its life is counted on
    the monotonic clock, so that a clock set by hand neither kills nor keeps it.
    """

    def __init__(
        self, account: str, tokens: TokenStore, clock: Clock, stop: threading.Event
    ) -> None:
        self._account = account
        self._tokens = tokens
        self._clock = clock
        self._stop = stop
        self._token: Token | None = None
        self._ends = 0.0
        self._fetched_at: float | None = None  # the last time the panel was asked at all
        self._renewed_at: float | None = None  # ... and the last time because it refused one

    @property
    def secrets(self) -> list[str]:
        """What of the token must not be told."""
        token = self._token
        return [token.access_token, token.refresh_token] if token else []

    def present(self, fetch: Fetch) -> Token:
        """A token that should be good: the one in hand, the stored one, or a new one."""
        token = self._token
        if token is not None and self._clock.monotonic() < self._ends - MARGIN:
            return token
        with self._tokens.lock(self._account, self._stop):
            if self._take_up_stored():
                return self._in_hand()
            if token is not None and self._lately(self._fetched_at):
                return token  # it looks spent, but it is new: let the panel say so
            self._fetch_or_keep(fetch)
        return self._in_hand()

    def renew(self, fetch: Fetch, where: str) -> Token:
        """A token in place of the one in hand, which the panel just refused.

        Raises PanelRefused when one was fetched for that reason less than a minute ago.
        """
        refused = self._token
        with self._tokens.lock(self._account, self._stop):
            stored = self._tokens.load(self._account)
            if stored is not None and stored != refused:
                return self._take_up(stored)
            if self._lately(self._renewed_at):
                raise PanelRefused(
                    f"{where}: a token fetched less than a minute ago is refused. "
                    "Check the account's credentials."
                )
            self._renewed_at = self._clock.monotonic()
            return self._fetch(fetch)

    def _fetch_or_keep(self, fetch: Fetch) -> None:
        """Fetch; a passing fault at the token endpoint leaves a token that still lives in use."""
        try:
            self._fetch(fetch)
        except PanelRefused:
            raise
        except PanelError:
            if self._token is None or self._clock.monotonic() >= self._ends:
                raise

    def _fetch(self, fetch: Fetch) -> Token:
        """Ask the panel, store the answer, and only then use it."""
        self._fetched_at = self._clock.monotonic()
        old = self._tokens.load(self._account) or self._token
        try:
            token = fetch(old)
        except PanelRefused:
            # A refresh token may be used once: perhaps another machine was quicker.
            stored = self._tokens.load(self._account)
            if stored is None or stored == old:
                raise
            return self._take_up(stored)
        self._tokens.save(self._account, token)
        return self._take_up(token)

    def _take_up_stored(self) -> bool:
        stored = self._tokens.load(self._account)
        if stored is None or stored == self._token:
            return False
        self._take_up(stored)
        return self._clock.monotonic() < self._ends - MARGIN

    def _take_up(self, token: Token) -> Token:
        self._token = token
        life = (token.expires_at - self._clock.now()).total_seconds()
        self._ends = self._clock.monotonic() + life
        return token

    def _in_hand(self) -> Token:
        if self._token is None:
            raise PanelRefused(f"Account {self._account} has no token.")
        return self._token

    def _lately(self, moment: float | None) -> bool:
        return moment is not None and self._clock.monotonic() - moment < LEAST_GAP
