"""All that the API and the CLI may ask of the book, in one place. Nothing here writes."""

from syncd.book.explain import explain as explain
from syncd.book.failures import failed as failed
from syncd.book.lookups import (
    MAX_LIMIT as MAX_LIMIT,
    accounts as accounts,
    exceptions as exceptions,
    order as order,
    putaways as putaways,
    run as run,
    runs as runs,
    sequences as sequences,
    stock as stock,
    tasks as tasks,
    tenants as tenants,
)
from syncd.book.overview import status as status
