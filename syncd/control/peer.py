"""Who is at the other end of the socket, and what they may do."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

NOBODY: Final = 65534  # who a peer seems to be when its user does not exist in our namespace
_FORMAT: Final = struct.Struct("3i")


class Peer(NamedTuple):
    """The process that connected, as the kernel saw it at that moment."""

    pid: int
    uid: int
    gid: int


UNKNOWN: Final = Peer(0, NOBODY, NOBODY)


def peer_of(connection: Any) -> Peer:
    """The peer of a connected Unix socket, or ``UNKNOWN``, who may only read."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _FORMAT.size)
        return Peer(*_FORMAT.unpack(raw))
    except (OSError, AttributeError, struct.error):
        return UNKNOWN


def may_write(uid: int, *, own_uid: int, operators: Collection[int]) -> bool:
    """Root, the daemon's own user and the configured operators may change things.

    A user that the kernel could not name (``NOBODY``) never may, whatever is configured.
    """
    if uid == NOBODY:
        return False
    return uid in (0, own_uid) or uid in operators


def user_name(uid: int) -> str:
    """The login name of a user, or nothing: a dynamic user has none that can be looked up."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OSError, ValueError):
        return ""


def actor_of(peer: Peer, name_of: Callable[[int], str] = user_name) -> str:
    """How the book's records name this peer: ``uid 1000 (asha)``."""
    name = name_of(peer.uid)
    return f"uid {peer.uid} ({name})" if name else f"uid {peer.uid}"


def own_uid() -> int:
    """The user that the daemon runs as."""
    return os.geteuid()
