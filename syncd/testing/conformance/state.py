"""Rules about what must not leak: secrets, and one seller's rows into another's."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import zip_longest
from typing import Any, Final

from pydantic import SecretStr

from syncd.testing.conformance.base import Base
from syncd.testing.conformance.faults import SMALL
from syncd.testing.conformance.journal import names
from syncd.testing.conformance.reading import Reader
from syncd.testing.conformance.rows import order_ids
from syncd.testing.conformance.words import must, rule
from syncd.testing.faults import Fault

_TROUBLES: Final = (
    None,
    Fault(do="status", status=401, times=-1),
    Fault(do="status", status=403, times=-1),
    Fault(do="status", status=500, times=-1),
    Fault(do="html", times=-1),
    Fault(do="body", body='{"half', times=-1),
    Fault(do="garble", times=-1),
    Fault(do="expire", times=-1),
)


class StateRules(Base):
    """Nothing leaks."""

    @rule("Secrets stand in no error, log line, print, repr, row or raw.")
    def test_secrets_never_show(self) -> None:
        for kind in self.kinds(self.load()):
            with self.shop() as shop:
                self.fill(shop, kind, 3)
                reader = shop.reader(limits=SMALL)
                with _heard() as heard:
                    for fault in _TROUBLES:
                        reader.new_panel(SMALL)
                        shop.server.faults.clear()
                        if fault is not None:
                            shop.server.faults.add(fault)
                        heard.append(repr(reader.account) + repr(reader.panel))
                        try:
                            heard += [repr(row) for row in reader.read(kind)]
                        except Exception as error:
                            heard += _told_by(error)
                    shop.server.faults.clear()
                heard += [f"{event} {fields}" for event, fields in reader.told]
                heard += [text for text, _ in reader.memory.texts.values()]
                for name, secret in _secrets(reader):
                    found = next((text for text in heard if secret in text), "")
                    must(
                        not found,
                        f"{kind}: the {name} stands in {found.replace(secret, '***')[:300]!r}.",
                        "Read a secret only where a request is made, hand it to the panel as "
                        "authorise, basic, headers, params or form, and never put it into a text.",
                    )

    @rule("Two sellers of one panel never mix, even when their hooks run by turns.",
          unless="sellers")  # fmt: skip
    def test_sellers_do_not_mix(self) -> None:
        for kind in self.kinds(self.load()):
            with self.shop(sellers=2) as shop:
                owners: dict[str, set[str]] = {}
                for seller in shop.sellers:
                    orders = self.fill(shop, kind, max(6, self.many // 3), seller)
                    owners[seller] = {order.order_id for order in orders}
                readers = [shop.reader(seller) for seller in shop.sellers]
                alone = [reader.read(kind) for reader in readers]
                together: list[list[Any]] = [[], []]
                turns = [reader.pages(kind) for reader in readers]
                for pages in zip_longest(*turns):
                    for n, page in enumerate(pages):
                        together[n] += page.rows if page is not None else []
                for seller, mine, turned in zip(shop.sellers, alone, together, strict=True):
                    must(
                        order_ids(mine) == owners[seller],
                        f"{kind}: {seller} was told of {len(order_ids(mine) - owners[seller])} "
                        "orders of another.",
                        "Ask with the account that was handed in.",
                    )
                    must(
                        names(mine) == names(turned),
                        f"{kind}: alone {len(mine)} rows, by turns {len(turned)}.",
                        "Keep no state between calls: no module variable, no attribute, no cache "
                        "that is not of the account.",
                    )


@contextmanager
def _heard() -> Iterator[list[str]]:
    """All that is printed or logged inside the block, and what the caller adds."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name.startswith("urllib3"):
                return  # the client's own, which no plugin can change
            heard.append(f"{record.getMessage()} {record.args}")

    out, ear, root = io.StringIO(), Ear(0), logging.getLogger()
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(out), redirect_stderr(out):
            yield heard
    finally:
        root.setLevel(level)
        root.removeHandler(ear)
        heard.append(out.getvalue())


def _told_by(error: BaseException | None) -> list[str]:
    told: list[str] = []
    while error is not None and len(told) < 20:
        told += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    return told


def _secrets(reader: Reader) -> Iterator[tuple[str, str]]:
    for name, value in reader.account.settings:
        if isinstance(value, SecretStr) and value.get_secret_value():
            yield f"setting {name}", value.get_secret_value()
    token = reader.tokens.load(reader.account.name)
    if token is not None:
        yield "access token", token.access_token
        if token.refresh_token:
            yield "refresh token", token.refresh_token
