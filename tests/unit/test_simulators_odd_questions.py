"""Every installed simulator, asked oddly: it refuses as a panel does, and makes no mistake itself.

Nothing here knows a path. The plugin's hooks are run once, what they ask is noted, and each
question is asked again with something in it made odd.
"""

from __future__ import annotations

import http.client
import random
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
import pytest

from syncd.testing import PanelServer, Request, Simulator
from syncd.testing.conformance import Base, Shop

CHANNELS: Final = sorted(one.name for one in entry_points(group="syncd.simulators"))
ODD: Final = (
    "", " ", "-1", "0", "1.5", "1e400", "nan", "abc", "ā☃", "²", "%", "null", "[]", "a,b,,c",
    "\x00", "9" * 30, "9" * 5000, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-11:00",
    "2026-11-20T06:00:00", "2026-02-30T00:00:00Z", "../../x", "' or 1=1", "e30=", "QUJD",
)  # fmt: skip
BODIES: Final = (
    b"", b"{", b"null", b"[]", b"17", b'"text"', b"{}", b'{"a": 1}', b"\xff\xfe", b"a=1&a=2&%zz",
    b"<xml/>", b"[" * 3000,
)  # fmt: skip
KINDS: Final = (
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain",
    "",
    "ā".encode(),
)
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW")
AUTHORISATIONS: Final = (
    "",
    "Bearer",
    "bearer x",
    "Basic",
    "Basic %%%",
    "Basic /w==",
    "ā".encode(),
    "x y z",
)


class Question(NamedTuple):
    """A request, ready to be sent."""

    method: str
    path: str
    query: str
    headers: dict[str, Any]
    body: bytes


def noted(suite: Base, shop: Shop) -> list[Question]:
    """What the hooks ask, by window and by ids, one question of each method, path and keys."""
    found: dict[object, Question] = {}

    def note(request: Request) -> None:
        shape = "/".join("#" if any(c.isdigit() for c in p) else p for p in request.path.split("/"))
        found.setdefault(
            (request.method, shape, *sorted(request.query)),
            Question(
                request.method, request.path, request.target.partition("?")[2],
                {k: v for k, v in request.headers.items() if k not in ("host", "content-length")},
                request.body,
            ),
        )  # fmt: skip

    for kind in suite.kinds(shop.plugin):
        suite.fill(shop, kind, suite.many)
    shop.server.on_request = note
    reader = shop.reader()
    orders = reader.refs(reader.own_orders()[:3])
    for kind in shop.plugin.kinds:
        for chosen in ((), orders):
            for _ in reader.pages(kind, chosen):
                pass
    shop.server.on_request = None
    return list(found.values())


def odd(question: Question, chance: random.Random) -> Iterator[Question]:
    """The question with one thing in it made odd, in many ways."""
    pairs = parse_qsl(question.query, keep_blank_values=True)
    for place, (name, value) in enumerate(pairs):
        rest = pairs[:place] + pairs[place + 1 :]
        yield question._replace(query=urlencode(rest))
        yield question._replace(query=urlencode([*pairs, (name, value)]))
        yield question._replace(query=urlencode([*pairs, (name, "-1")]))
        for text in ODD:
            yield question._replace(query=urlencode([*rest, (name, text)]))
    yield question._replace(query="%zz&&=&=a&\xff")
    parts = question.path.split("/")
    for place in range(1, len(parts)):
        for text in (*chance.sample(ODD, 8), "x" * 300):
            changed = [*parts[:place], quote(text, safe=""), *parts[place + 1 :]]
            yield question._replace(path="/".join(changed))
        yield question._replace(path="/".join(parts[:place]) or "/")
    for body in (*BODIES, *changed_bodies(question.body)):
        yield question._replace(body=body)
    for method in METHODS:
        yield question._replace(method=method)
    for kind in KINDS:
        yield question._replace(headers={**question.headers, "content-type": kind})
    for text in AUTHORISATIONS:
        yield question._replace(headers={**question.headers, "authorization": text})
    for name in question.headers:
        yield question._replace(headers={k: v for k, v in question.headers.items() if k != name})


def changed_bodies(body: bytes) -> Iterator[bytes]:
    """The fields of a body, JSON or a form, each taken away or made odd in turn."""
    try:
        content = msgspec.json.decode(body)
    except msgspec.DecodeError:
        form = parse_qsl(body.decode())
        for place, (name, _) in enumerate(form):
            yield urlencode(form[:place] + form[place + 1 :]).encode()
            for text in ODD:
                yield urlencode([*form[:place], (name, text), *form[place + 1 :]]).encode()
        return
    for changed in changed_things(content):
        yield msgspec.json.encode(changed)


def changed_things(content: Any) -> Iterator[Any]:
    """JSON content, with each thing in it taken away or made odd in turn."""
    yield from (None, -1, 1e300, 9 * 10**18, True, [], {}, *ODD)
    if isinstance(content, dict):
        for name, value in content.items():
            yield {key: one for key, one in content.items() if key != name}
            for changed in changed_things(value):
                yield {**content, name: changed}
    elif isinstance(content, list) and content:
        for changed in changed_things(content[0]):
            yield [changed, *content[1:]]


def asked(server: PanelServer, question: Question) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Send one question, well formed as HTTP or not, and read the answer."""
    host, port = server.address
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        target = f"{question.path}?{question.query}" if question.query else question.path
        connection.putrequest(question.method, "/", skip_accept_encoding=True)
        connection._buffer[0] = f"{question.method} {target} HTTP/1.1".encode("latin-1")  # type: ignore[attr-defined]
        for name, value in question.headers.items():
            connection.putheader(name, value)
        connection.putheader("content-length", str(len(question.body)))
        connection.endheaders(question.body)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.msg
    finally:
        connection.close()


@pytest.mark.parametrize("channel", CHANNELS)
def test_no_odd_question_is_a_mistake_of_the_simulator(channel: str) -> None:
    (entry,) = entry_points(group="syncd.simulators", name=channel)
    simulator: type[Simulator] = entry.load()
    suite: Base = type("Suite", (Base,), {"channel": channel, "simulator": simulator, "many": 3})()
    with suite.shop() as shop:
        plain = noted(suite, shop) or [Question("GET", "/", "", {}, b"")]
        for question in plain:
            for one in odd(question, random.Random(7)):
                status, body, headers = asked(shop.server, one)
                shown = one._replace(query=one.query[:200], body=one.body[:200])
                assert not shop.server.troubles, (shown, shop.server.troubles[-1])
                assert status < 500, shown
                assert status != 405 or headers["allow"], shown
                assert one.method != "HEAD" or not body, shown
