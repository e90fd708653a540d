"""Read an answer's body within its size limit, on the wire and unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Final

import requests
from urllib3.exceptions import HTTPError

from syncd.errors import PanelAnswer

CHUNK: Final = 64 * 1024
FAILURES: Final = (HTTPError,)
_PACKED: Final = {"gzip": 31, "x-gzip": 31, "deflate": 47}  # zlib's window bits


def read_body(response: requests.Response, limit: int, where: object) -> bytes:
    """The whole body, unpacked and, if the panel states another charset, turned into UTF-8.

    Raises PanelAnswer when it is larger than ``limit`` bytes or packed in an unknown way, and
    the errors of the transport when it is cut.
    """
    headers = response.headers
    length = headers.get("Content-Length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > limit):
        raise _too_large(where, limit)
    packing = headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("", "identity"):
        return _charset(_unpacked(response, packing, limit, where), headers, where)
    if length.isdecimal():
        return _charset(response.raw.read(decode_content=False), headers, where)
    parts, size = [], 0
    for part in _parts(response):
        size += len(part)
        if size > limit:
            raise _too_large(where, limit)
        parts.append(part)
    return _charset(b"".join(parts), headers, where)


def _parts(response: requests.Response) -> Iterator[bytes]:
    """The body as it is on the wire, in bounded pieces."""
    while part := response.raw.read(CHUNK, decode_content=False):
        yield part


def _unpacked(response: requests.Response, packing: str, limit: int, where: object) -> bytes:
    if packing not in _PACKED:
        raise _answer(where, f"is packed as {packing[:20]!r}, which was not asked for", "packing")
    unpack = zlib.decompressobj(_PACKED[packing])
    out = bytearray()
    wire = 0
    try:
        for part in _parts(response):
            wire += len(part)
            # One byte more than allowed is enough to know, however much would come.
            out += unpack.decompress(part, limit + 1 - len(out))
            if len(out) > limit or wire > limit:
                raise _too_large(where, limit)
    except zlib.error:
        out.clear()
    if not unpack.eof:
        raise _answer(where, "is packed, and broken or cut off", "panel_malformed")
    return bytes(out)


def _charset(body: bytes, headers: Mapping[str, str], where: object) -> bytes:
    kind = headers.get("Content-Type", "")
    if "charset" not in kind.lower():
        return body
    name = kind.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
    if name in ("utf-8", "utf8", "us-ascii", ""):
        return body
    try:
        return body.decode(name).encode()
    except (LookupError, ValueError):
        pass
    raise _answer(where, f"is not in the charset {name[:20]!r} that it states", "panel_malformed")


def _too_large(where: object, limit: int) -> PanelAnswer:
    return _answer(
        where, f"is larger than {limit} bytes; it was not read further", "panel_too_large"
    )


def _answer(where: object, what: str, code: str) -> PanelAnswer:
    error = PanelAnswer(f"{where}: the answer {what}.")
    error.code = code
    return error
