"""Line ids in the intake: when a line that is new by its id alone is one that the book has."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence

from msgspec import Struct, field

from syncd.book.intake_known import Known
from syncd.book.replacing import stands_in_for
from syncd.book.wording import listed, pieces
from syncd.statuses import NewOrder, OrderLine


class Adopted(Struct, frozen=True):
    """Pieces of the line that the book had named by ``sku``, from number ``first`` on, which are
    those of ``line_id``."""

    line_id: str
    sku: str
    first: int
    count: int


class Naming(Struct):
    """What became of the names: ``lines`` are those of the order that are still to be taken.

    ``problem`` says in a sentence why a line was left out; empty for none.
    """

    lines: list[OrderLine] = field(default_factory=list)
    adopted: list[Adopted] = field(default_factory=list)
    problem: str = ""


def compare_names(order: NewOrder, known: Known, source: str) -> Naming:
    """Tell further lines from new names of the lines that the book has.

    A report without line ids names a line by its SKU. Where a later one has ids, the book's
    pieces take them; where a later one has none, it speaks of the book's lines of that SKU.

    What one source tells in parts are further lines. Of another that names no line as the book
    does, lines of the book's SKUs may be the same pieces: they are told to a person, not added.
    """
    naming = Naming()
    unnamed: dict[str, list[OrderLine]] = defaultdict(list)
    times = Counter(line.sku for line in order.lines)
    for line in order.lines:
        if line.components or stands_in_for(order, line):
            naming.lines.append(line)
        elif line.line_id in known.lines:
            alone = line.line_id == line.sku and times[line.sku] == 1
            if alone and len(_lines_of(known, line.sku)) > 1:
                unnamed[line.sku].append(line)
            else:
                naming.lines.append(line)
        elif (line.line_id == line.sku) != _by_sku(known, line.sku):
            unnamed[line.sku].append(line)
        else:
            naming.lines.append(line)
    told = {line.line_id for line in order.lines}
    for sku, lines in unnamed.items():
        if lines[0].line_id == sku:
            _without_names(naming, order, known, lines[0])
        else:
            _name(naming, order, known, sku, lines, told)
    if _otherwise(order, known, source):
        _not_twice(naming, order, known, source)
    return naming


def _lines_of(known: Known, sku: str) -> list[str]:
    return [name for name, skus in known.lines.items() if sku in skus]


def _by_sku(known: Known, sku: str) -> bool:
    """Whether the book has a line that is named by this SKU, for want of an id."""
    return set(known.lines.get(sku, ())) == {sku}


def _name(
    naming: Naming, order: NewOrder, known: Known, sku: str, lines: Sequence[OrderLine],
    told: set[str],
) -> None:  # fmt: skip
    """The book knows pieces by their SKU only, and lines of that SKU come with ids."""
    left = len(known.lines[sku])
    if sku in told or sku in known.stands_in:
        naming.lines += lines  # the report has a line of that name beside them
    elif len(known.stands[sku]) == 1 or [line.quantity for line in lines] == [left]:
        for line in lines:  # pieces that stand alike are not told apart by who gets which
            count = min(left, line.quantity)
            if count:
                left -= count
                naming.adopted.append(Adopted(line.line_id, sku, left, count))
        naming.lines += lines
    else:
        ids = listed(line.line_id for line in lines)
        naming.problem = (
            f"Order {order.order_id} has {pieces(left)} of {sku} from a report without line ids, "
            f"in different states, and this one calls {sum(line.quantity for line in lines)} of "
            f"them {ids}; nothing tells which is which, so none was added. What is told of these "
            "lines waits; say of each that it is about the pieces here: syncctl retry ID --as-line "
            f"{shlex.quote(sku)}"
        )


def _not_twice(naming: Naming, order: NewOrder, known: Known, source: str) -> None:
    """Leave out what another source may call otherwise than the book does."""
    adopted = {one.line_id for one in naming.adopted}
    have = {sku for skus in known.lines.values() for sku in skus}
    twice = [
        line
        for line in naming.lines
        if line.line_id not in adopted and have & {sku for sku, _ in wanted_pieces(line)}
    ]
    if twice:
        naming.problem = naming.problem or _of_another_source(order, twice, known, source)
        naming.lines = [line for line in naming.lines if line not in twice]


def _without_names(naming: Naming, order: NewOrder, known: Known, line: OrderLine) -> None:
    """The book has line ids, and a report without them shows this SKU."""
    have = _lines_of(known, line.sku)
    count = sum(known.lines[name].count(line.sku) for name in have)
    if not have:
        naming.lines.append(line)
    elif count != line.quantity:
        naming.problem = (
            f"Order {order.order_id} has {pieces(count)} of {line.sku} in the lines "
            f"{listed(have)}, and a report without line ids shows {line.quantity}; "
            "it was left as it was. Give the report the panel's line ids."
        )


def _otherwise(order: NewOrder, known: Known, source: str) -> bool:
    """Whether another source than the book's names no line as the book does."""
    return known.source != source and not any(
        line.line_id in known.lines or stands_in_for(order, line) for line in order.lines
    )


def _of_another_source(
    order: NewOrder, lines: Sequence[OrderLine], known: Known, source: str
) -> str:
    told = listed(f"{line.line_id} ({line.sku})" for line in lines)
    have = listed(known.lines)
    return (
        f"Order {order.order_id} came from {known.source} with the line ids {have}, and {source} "
        f"calls pieces of the same SKU {told}; none of these were added. {_by_hand(order)}"
    )


def _by_hand(order: NewOrder) -> str:
    return (
        f"Book its way by hand, syncctl warehouse {shlex.quote(order.order_id)} DISPATCHED, and "
        "give the next file the panel's line ids. If these are further pieces, import the order "
        "with all its lines in one file."
    )


def wanted_pieces(line: OrderLine) -> list[tuple[str, str]]:
    """SKU and bundle of each piece that a line asks for, in the order of their numbers."""
    if not line.components:
        return [(line.sku, "")] * line.quantity
    return [
        (sku, f"{line.line_id}#{number}")
        for number in range(line.quantity)
        for sku in line.components
    ]
