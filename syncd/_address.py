"""Where a call goes, and how much of that may be told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from requests.utils import requote_uri

from syncd.errors import ConfigError, PanelAnswer, PluginError

Params = Mapping[str, Any]

MASK: Final = "***"
MAX_SHOWN_SEGMENT: Final = 60

# Query names whose values help a person and can hold no secret and no buyer's data.
HARMLESS: Final = frozenset(
    {"page", "pagesize", "page_size", "size", "limit", "offset", "sort", "order"}
    | {"source", "type", "status", "states", "version", "grant_type"}
    | {"from", "to", "start", "end", "since", "until"}
    | {"modifiedafter", "modifiedbefore", "createdafter", "createdbefore"}
)
_PLAIN: Final = re.compile(r"[!-~]+")
_HARMLESS_VALUE: Final = re.compile(r"[\w.:+,\-]{1,40}")


class Base:
    """A panel's base address: https, or http on a loopback address only; empty for none.

    Raises ConfigError for any other, for one without a host and for one with a password in it.
    """

    __slots__ = ("origin", "url")

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.origin: tuple[str, str, int] | None = None
        if not url:
            return
        try:
            self.origin = origin_of(url)
        except ValueError as error:
            problem = str(error)
        else:
            return
        raise ConfigError([f"base_url {problem}"])

    def joined(self, path: str, params: Params | None = None) -> str:
        """The address of ``path`` below the base; an absolute https address stays itself."""
        if path.startswith("/") and self.origin is None:
            raise PluginError("This channel's settings have no base_url: it makes no calls.")
        if path.startswith("/"):
            url = self.url + path
        else:
            try:
                origin_of(path)
            except ValueError:
                path = ""
            if not path:
                raise PluginError("A panel path must begin with '/' or be an https address.")
            url = path
        if params:
            url += ("&" if "?" in url else "?") + _query(params)
        return url if _PLAIN.fullmatch(url) else requote_uri(url)

    def followed(self, link: str, prefix: str = "") -> str:
        """The address of a link that the panel gave, which must stay at this panel.

        Raises PanelAnswer, because whoever gets the next call gets the token too.
        """
        relative = link.startswith("/") and not link.startswith("//")
        url = self.joined(prefix + link) if relative else link
        try:
            stays = self.origin is not None and origin_of(url) == self.origin
        except ValueError:
            stays = False
        if stays:
            return url if _PLAIN.fullmatch(url) else requote_uri(url)
        raise _link_refused(link)


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError, with nothing of the address in its text."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise ValueError("is no address at all") from None
    if not host:
        raise ValueError("names no host; write it as https://host")
    if parts.username is not None or "\\" in parts.netloc:
        raise ValueError("must not hold a user or password; give them as secrets of the account")
    if parts.scheme == "https":
        return "https", host, port or 443
    if parts.scheme == "http" and is_loopback(host):
        return "http", host, port or 80
    raise ValueError("must be https; http is for a loopback address only")


def is_loopback(host: str) -> bool:
    """Does the name or address mean this machine?"""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """The path of an address for people: the values of its query masked, long parts cut."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    path = "/".join(MASK if len(x) > MAX_SHOWN_SEGMENT else x for x in parts.path.split("/"))
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{name}={_shown_value(name, value)}" for name, value in pairs)
    return f"{path or '/'}?{query}" if query else path or "/"


def told_by(params: Params | None) -> list[str]:
    """The values among a call's parameters that must not be told."""
    return [str(v) for name, v in (params or {}).items() if name.lower() not in HARMLESS]


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret in it masked, whatever brought it there."""
    for secret in secrets:
        if len(secret) >= 6:
            text = text.replace(secret, MASK)
    return text


def _shown_value(name: str, value: str) -> str:
    harmless = name.lower() in HARMLESS and _HARMLESS_VALUE.fullmatch(value)
    return value if harmless else MASK


def _query(params: Params) -> str:
    return urlencode({k: v for k, v in params.items() if v is not None}, doseq=True)


def _link_refused(link: str) -> PanelAnswer:
    if not link:
        answer = PanelAnswer(
            "The panel says that there are more pages but gives no link to the next one."
        )
        answer.code = "paging_broken"
        return answer
    answer = PanelAnswer(
        f"The panel's next link {shown(link)} leads away from its own address; it was not "
        "followed, because the token would go with it."
    )
    answer.code = "link_elsewhere"
    return answer
