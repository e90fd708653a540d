"""Recorded answers in place of a simulator, or beside it: a folder with a file for each case.

A case is a JSON file ``<name>.json``::

    {
      "kind": "dispatched",
      "now": "2026-11-20T12:00:00Z",
      "window": ["2026-11-20T10:00:00Z", "2026-11-20T11:58:00Z"],
      "orders": [{"order_id": "1", "line_ids": ["7"]}],
      "settings": {"app_id": "app", "app_secret": "secret"},
      "answers": [
        {"method": "POST", "path": "/v1/token", "status": 200, "answer": {"token": "t"}},
        {"method": "GET", "path": "/v1/shipments", "query": {"page": "1"}, "file": "page-1.json"}
      ],
      "expected": [{"order_id": "1", "status": "DISPATCHED", "quantity": 2}],
      "error": ""
    }

``settings`` need no ``base_url``; ``window`` and ``orders`` may be left out. A request gets
the first answer of its method and path whose ``query`` it carries and that was not given yet.
``answer`` is sent as JSON, ``file`` as it is. ``expected`` names the rows in their order, each
by as many of its fields as matter; with ``error`` the pass must fail with that code instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from syncd.clock import HandClock
from syncd.errors import SyncdError
from syncd.statuses import Kind, OrderRef, Window
from syncd.testing.conformance.base import Base
from syncd.testing.conformance.reading import Plugin, Reader
from syncd.testing.conformance.words import fail, must, rule
from syncd.testing.messages import Reply, Request
from syncd.testing.panel_server import PanelServer
from syncd.testing.world import World


class Answer(Struct, kw_only=True, forbid_unknown_fields=True):
    """What the panel answered to one request."""

    path: str
    method: str = "GET"
    query: dict[str, str] = {}
    status: int = 200
    headers: dict[str, str] = {}
    content_type: str = "application/json"
    answer: Raw = Raw(b"null")
    file: str = ""


class Case(Struct, kw_only=True, forbid_unknown_fields=True):
    """One recorded question with its answers, and the rows that must come of them."""

    kind: Kind
    now: datetime
    settings: dict[str, Any]
    answers: list[Answer]
    window: tuple[datetime, datetime] | None = None
    orders: list[OrderRef] = []
    expected: list[dict[str, Any]] = []
    error: str = ""


class RecordedPanel(PanelServer):
    """Gives the answers of a case, each once; ``strays`` are requests without one."""

    def __init__(self, case: Case, folder: Path, clock: HandClock) -> None:
        super().__init__(World(clock), clock)
        self.left = list(case.answers)
        self.strays: list[str] = []
        self._folder = folder

    def answer(self, request: Request) -> Reply:
        """The first answer left that fits."""
        for answer in self.left:
            if _fits(answer, request):
                self.left.remove(answer)
                plain = (self._folder / answer.file).read_bytes() if answer.file else None
                body = bytes(answer.answer) if plain is None else plain
                return Reply(answer.status, body, answer.content_type, answer.headers)
        self.strays.append(f"{request.method} {request.target}")
        return self.error(404, "no answer was recorded")


def _fits(answer: Answer, request: Request) -> bool:
    return (answer.method, answer.path) == (request.method, request.path) and all(
        request.query.get(name) == value for name, value in answer.query.items()
    )


class RecordedRules(Base):
    """What a real panel once answered is read as a person read it."""

    @rule("Recorded answers give the expected rows.", needs="recorded")
    def test_recorded_answers(self) -> None:
        folder = self.recorded
        assert folder is not None
        names = sorted(folder.glob("*.json"))
        cases = [(name, _case(name)) for name in names if _is_case(name)]
        must(cases, f"There is no case in {folder}.", "Write one; see the module's text.")
        for name, case in cases:
            _replay(self.load(), name, case)


def _is_case(path: Path) -> bool:
    try:
        return "kind" in msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, TypeError):
        return False  # an answer that a case names


def _case(path: Path) -> Case:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Case)
    except msgspec.ValidationError as error:
        fail(f"{path.name}: {error}", "See syncd.testing.conformance.recorded for the form.")


def _replay(plugin: Plugin, path: Path, case: Case) -> None:
    clock = HandClock(case.now)
    with RecordedPanel(case, path.parent, clock) as panel:
        reader = Reader(plugin, panel, clock, {"base_url": panel.url, **case.settings})
        start, end = case.window or (case.now - timedelta(hours=1), case.now)
        try:
            rows = reader.read(case.kind, case.orders, Window(start, end))
        except SyncdError as error:
            must(
                error.code == case.error,
                f"{path.name}: {error} (code {error.code}); asked without an answer: "
                f"{panel.strays}.",
                "Record the answers to these requests, or say the code in `error`.",
            )
            return
    must(not case.error, f"{path.name}: no error {case.error!r}.", "Let the panel's error through.")
    must(
        not panel.left and not panel.strays,
        f"{path.name}: never asked for {[one.path for one in panel.left]}, and asked without an "
        f"answer: {panel.strays}.",
        "A case holds the answers to all requests, and no others.",
    )
    came = [msgspec.to_builtins(row) for row in rows]
    must(
        len(came) == len(case.expected)
        and all(_holds(row, wanted) for row, wanted in zip(came, case.expected, strict=True)),
        f"{path.name}: {came} instead of {case.expected}.",
        "Mend the plugin, or the case if a person misread the panel.",
    )


def _holds(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(row.get(name) == value for name, value in wanted.items())
