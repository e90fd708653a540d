"""The names and numbers of documents: parcels and invoices. The only place that makes them."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from typing import Final

from msgspec import Struct


class DocumentKind(StrEnum):
    """The documents that take a number from a facility's sequence.

    Credit notes (SALE_RETURN_INVOICE) are not made yet: their sequence is only kept, so that the
    numbers of the system before are not given twice.
    """

    SALE_INVOICE = "SALE_INVOICE"
    SALE_RETURN_INVOICE = "SALE_RETURN_INVOICE"


class SequenceRow(Struct, gc=False):
    """A row of ``sequence`` in hand; ``next_number`` is the one the next document gets."""

    id: int
    prefix: str
    next_number: int
    width: int


def package_code(package_id: int) -> str:
    """The name of a parcel, from its row id: ``SP-7``."""
    return f"SP-{package_id}"


def number_text(prefix: str, number: int, width: int) -> str:
    """A document number: the prefix and the running number, zero-padded: ``INV/007``."""
    return f"{prefix}{number:0{width}d}"


def take_number(row: SequenceRow) -> str:
    """The next number of a sequence; ``row`` then stands at the one after it.

    Only ``row`` changes. Store it in the transaction that stores the document, so that a
    number is neither lost nor given twice.
    """
    number = row.next_number
    row.next_number = number + 1
    return number_text(row.prefix, number, row.width)


MAX_PREFIX: Final = 40
_NOT_IN_PREFIX: Final = re.compile(r"[^A-Za-z0-9/-]+")


def proposed_prefix(facility: str) -> str:
    """A prefix that no other facility of the tenant has, because it holds the code: ``WH2/``."""
    return f"{_NOT_IN_PREFIX.sub('-', facility)[: MAX_PREFIX - 1]}/"


def sequence_command(
    facility: str, kind: DocumentKind = DocumentKind.SALE_INVOICE, tenant: str = ""
) -> str:
    """What to type for a sequence; ``tenant`` where several have a facility of this code."""
    whose = f" --tenant {shlex.quote(tenant)}" if tenant else ""
    where = shlex.quote(facility)
    return f"syncctl sequence set {where} {kind} --prefix {proposed_prefix(facility)}{whose}"


def sequence_missing(
    facility: str, kind: DocumentKind = DocumentKind.SALE_INVOICE, tenant: str = ""
) -> str:
    """The sentence for a facility without a sequence: what is missing and what to type."""
    return (
        f"Facility {facility} has no {kind} sequence, so no invoice can be numbered. Define one "
        f"with: {sequence_command(facility, kind, tenant)}"
    )
