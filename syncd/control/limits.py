"""How much one client may ask of the socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MIB: Final = 1024 * 1024
MOST_HEAD: Final = 16 * 1024  # bytes of a request's first line and fields
MOST_BODY: Final = MIB
MOST_BODY_OF: Final[Mapping[str, int]] = {
    "/v1/orders": 32 * MIB,  # a file of orders
    "/v1/runs": 4 * MIB,  # 10,000 order ids of the longest kind
}
REPORT: Final = ("/v1/accounts/", "/report")  # how the path of a report file begins and ends
MOST_CONNECTIONS: Final = 64
READ_SECONDS: Final = 10.0
WRITE_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 15


def most_body_of(path: str) -> int:
    """How many bytes the body of a request to this path may have."""
    return 32 * MIB if is_report(path) else MOST_BODY_OF.get(path, MOST_BODY)


def is_report(path: str) -> bool:
    """Whether a report file is handed in there."""
    return path.startswith(REPORT[0]) and path.endswith(REPORT[1])
