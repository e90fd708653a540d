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
FILES: Final = PanelFiles(described("Paytm", PaytmFiles, unverified=NOTES))

Changes = Iterator[Page[StatusChange]]


def arrived(
    kind: Kind, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """What the files of the account's folder add; of named orders theirs, and unreadable files."""
    chosen = {"", *(order.order_id for order in orders)}
    for page in getattr(FILES, f"fetch_{kind}")(_of_files(account), window, (), panel):
        rows = [row for row in page.rows if not orders or row.order_id in chosen]
        yield Page(rows=_added(account, rows))


def handed_in(account: Account, report: ReportFile) -> Changes:
    """What a file adds that a person hands in. Raises PanelAnswer when that is nothing."""
    read = added = 0
    for page in FILES.read_report(_of_files(account), report):
        rows = [row for row in page.rows if isinstance(row, StatusChange)]
        told = _added(account, rows)
        read, added = read + len(rows), added + len(told)
        yield Page(rows=told)
    if not read:
        raise PanelAnswer(
            f"{report.name}: it says of no order what became of it, and orders are not read from "
            "files beside the API: they come from orders.json, or by syncctl import. Is the column "
            "of states named? See files.columns.status in the account's settings."
        )
    if not added:
        raise PanelAnswer(
            f"{report.name}: all that it says ({read} facts) is passed over, because the numbers "
            "of status_map in the account's settings tell the same. What files are to tell must "
            "have no number there."
        )


def _of_files(account: Account) -> Account:
    return Account(name=account.name, channel=account.channel, settings=account.settings.files)


def _added(account: Account, rows: Sequence[StatusChange]) -> list[StatusChange]:
    """The rows that say what no number says."""
    words: Mapping[str, Meaning] = account.settings.status_map
    told = set(words.values())
    # What is back was on its way: a number that tells the one tells the other.
    told |= {
        Meaning(Status.RETURN_NOTICED, return_type)
        for status, return_type in words.values()
        if status is Status.RETURNED
    }
    return [row for row in rows if not any(_same(row, meaning) for meaning in told)]


def _same(row: StatusChange, meaning: Meaning) -> bool:
    """Whether both say the same of a piece; a return that is called off may be of any type."""
    types = (row.return_type, meaning.return_type)
    return row.status is meaning.status and (None in types or types[0] is types[1])
