"""The panel's report files: beside the API, or, by ``source``, in its place.

Beside the API a file adds what the account's ``status_map`` does not tell, and no orders. A
return goes by its own id in a file and by none in ``orders.json``, and a file may name an item
otherwise: told from both sides, one piece would count as two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from syncd import (
    Account,
    Kind,
    OrderRef,
    Page,
    Panel,
    ReportFile,
    ReturnType,
    Status,
    StatusChange,
    Window,
)
from syncd.errors import PanelAnswer
from syncd.meanings import Meaning
from syncd_panelfile import PanelFiles, described
from syncd_paytm.settings import PaytmFiles

NOTES: Final = (
    "Report files: the spelling of the columns; which hold states, dates and kinds of return.",
    "Report files: the words for shipped and delivered; the list of return words is not whole.",
)
FILES: Final = PanelFiles(
    described(
        "Paytm",
        PaytmFiles,
        ships="the channel, unless the account's settings or a column of the file say the seller",
        unverified=NOTES,
    )
)
_CANCELS: Final = frozenset({Status.CANCELLED, Status.CANCEL_REQUESTED, Status.CANCEL_WITHDRAWN})

Changes = Iterator[Page[StatusChange]]


def arrived(
    kind: Kind, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """What the files of the account's folder add; of named orders theirs, and unreadable files."""
    chosen = {"", *(order.order_id for order in orders)}
    for page in getattr(FILES, f"fetch_{kind}")(_of_files(account), window, (), panel):
        rows = [row for row in page.rows if not orders or row.order_id in chosen]
        yield _added(account, rows)


def handed_in(account: Account, report: ReportFile) -> Changes:
    """What a file adds that a person hands in. Raises PanelAnswer when that is orders alone."""
    only_orders = False  # what it tells of the statuses comes after them
    for page in FILES.read_report(_of_files(account), report):
        rows = [row for row in page.rows if isinstance(row, StatusChange)]
        only_orders = not rows
        yield _added(account, rows)
    if only_orders:
        raise PanelAnswer(
            f"{report.name}: it says of no order what became of it, and orders are not read from "
            "files beside the API: they come from orders.json, or by syncctl import. Is the column "
            "of states named? See files.columns.status in the account's settings."
        )


def _of_files(account: Account) -> Account:
    return Account(name=account.name, channel=account.channel, settings=account.settings.files)


def _added(account: Account, rows: Sequence[StatusChange]) -> Page[StatusChange]:
    words: Mapping[str, Meaning] = account.settings.status_map
    told = {
        matter
        for status, return_type in words.values()
        if status is not None
        for matter in _matters(status, return_type)
    }
    return Page(rows=[row for row in rows if not told & _matters(row.status, row.return_type)])


def _matters(status: Status, return_type: ReturnType | None) -> set[Status | ReturnType]:
    """What a status is about; two that share a matter are told from one side alone."""
    if status in _CANCELS:
        return {Status.CANCELLED}
    if status is Status.RETURN_WITHDRAWN and return_type is None:
        return {ReturnType.RTO, ReturnType.CIR}
    return {return_type or status}
