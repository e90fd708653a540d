"""A plugin for a panel of an unlike shape needs little code and keeps every rule of the kit.

What it needs of syncd is what the author's guide names; nothing of the core knows of it.
"""

from __future__ import annotations

import ast
from pathlib import Path

import tests.bazaar as plugin
from syncd import Status
from syncd.testing import Fault
from syncd.testing.conformance import Base, ChannelTests, Kind
from tests.bazaar.simulator import BazaarSimulator

CODE, IN_ALL = 139, 171  # the author's guide says so


class TestBazaar(ChannelTests):
    channel = "bazaar"
    plugin = plugin
    simulator = BazaarSimulator
    many = 30
    examples = 8
    cannot = frozenset(
        {
            "json",  # answers are XML
            *("foreign", "no_link", "stray_link"),  # pages go on by a cursor
            "lost",
        }
    )


class TestWords(Base):
    channel = "bazaar"
    plugin = plugin
    simulator = BazaarSimulator

    def test_a_state_that_is_not_known_is_shown_and_not_guessed(self) -> None:
        body = (
            '<feed><movement no="m1" order="OD1" line="1" count="1" state="eaten" '
            'at="1763663400"/></feed>'
        )
        with self.shop() as shop:
            shop.server.faults.add(Fault(do="body", path="/api/movements*", body=body))
            (told,) = shop.reader().read(Kind.DISPATCHED)
        assert told.status is Status.UNKNOWN
        assert "'eaten' is not known" in told.problem
        assert 'order="OD1"' in told.raw


def test_the_plugin_is_small() -> None:
    """Lines that are not blank; those of code are no comments, imports and docstrings either."""
    source = Path(plugin.__file__).read_text("utf-8")
    left_out = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom) or is_text(node)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = [
        number
        for number, line in enumerate(source.splitlines(), 1)
        if line.strip() and not line.strip().startswith("#") and number not in left_out
    ]
    written = sum(bool(line.strip()) for line in source.splitlines())
    assert (len(lines), written) == (CODE, IN_ALL)


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
