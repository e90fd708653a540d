"""All that the API and the CLI may ask of the book, in one place. Nothing here writes."""

from syncd.book.brake_lookups import brakes as brakes, held as held
from syncd.book.drift import MAX_SHOWN as MAX_SHOWN, audits as audits, findings as findings
from syncd.book.exception_lookups import (
    exception as exception,
    exceptions as exceptions,
)
from syncd.book.explain import explain as explain
from syncd.book.failures import failed as failed
from syncd.book.lookups import (
    MAX_LIMIT as MAX_LIMIT,
    accounts as accounts,
    run as run,
    runs as runs,
    tasks as tasks,
)
from syncd.book.order_lookups import order as order
from syncd.book.overdue_lookups import overdue as overdue
from syncd.book.overview import status as status
from syncd.book.shelf_lookups import (
    putaways as putaways,
    sequences as sequences,
    stock as stock,
    tenants as tenants,
)
from syncd.book.shipping import (
    of_order as of_order,
    of_package as of_package,
    of_parcel as of_parcel,
)
