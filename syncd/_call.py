"""One call to a panel, with what must not be told of it."""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata
from urllib.parse import urlencode

import requests
from requests.structures import CaseInsensitiveDict

from syncd._address import scrubbed, shown
from syncd.tokens import Token


class Call:
    """One call and what it carries. Its text names it without any secret; it has no repr."""

    __slots__ = (
        "_address", "account", "body", "headers", "method", "pace", "reads", "secrets", "url"
    )  # fmt: skip

    def __init__(self, method: str, url: str, account: str, pace: str) -> None:
        self.method = method
        self.url = self._address = url  # with and without a token in its query
        self.account = account
        self.pace = pace
        self.reads = method == "GET"
        self.body: bytes | None = None
        self.headers: CaseInsensitiveDict[str] = CaseInsensitiveDict(_usual_headers())
        self.secrets: list[str] = []

    def __str__(self) -> str:
        path = scrubbed(shown(self.url), self.secrets)
        return f"{self.method} {path} (account {self.account})"

    def carry(self, token: Token) -> None:
        """Put the token into its header, or into the query."""
        self.secrets.append(token.access_token)
        if token.param:
            joint = "&" if "?" in self._address else "?"
            self.url = self._address + joint + urlencode({token.param: token.access_token})
            return
        plain = token.header.lower() != "authorization" or not token.token_type
        word = token.access_token if plain else f"Bearer {token.access_token}"
        self.headers[token.header] = word

    def prepared(self) -> requests.PreparedRequest:
        """The request for the transport. Made by hand: ours is already checked and encoded."""
        request = requests.PreparedRequest()
        request.method = self.method
        request.url = self.url
        request.headers = self.headers
        request.body = self.body
        if self.method == "POST":
            self.headers["Content-Length"] = str(len(self.body or b""))
        return request


@lru_cache(maxsize=1)
def _usual_headers() -> dict[str, str]:
    try:
        version = metadata.version("syncd")
    except metadata.PackageNotFoundError:
        version = "0"
    return {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": f"syncd/{version}",
    }
