"""Read the file that a person handed in, in place of asking the panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from syncd.book import reports
from syncd.errors import PluginError, Stopped, SyncdError
from syncd.log import mask
from syncd.passes.fetch import Fetcher, fail
from syncd.passes.job import TaskNote
from syncd.statuses import STATUSES_OF, Kind, NewOrder, Status, StatusChange

_KINDS: Final = (Kind.DISPATCHED, Kind.DELIVERED, Kind.RETURNS, Kind.CANCELLED)


class ReportFetcher(Fetcher):
    """Fetches out of the run's file; orders that it lacks are asked for at the panel as ever."""

    def fetch_all(self) -> None:
        """Hand all that the file says to the keeper. A file that cannot be read is noted."""
        job = self._job
        file = reports.file_of(job.book, job.run_id)
        try:
            for page in self._setup.channel.read_report(self._setup.account, file):
                job.counts.pages += 1
                self._keep(page.rows)
                job.tell("report")
                job.check_stop()
        except Stopped:
            raise
        except SyncdError as error:
            fail(self._note(Kind.DISPATCHED), error)
        except (Exception, SystemExit) as error:
            text = (
                f"Channel {self._setup.channel.name} failed while reading {file.name}: "
                f"{type(error).__name__}: {error}. Report it to the plugin's author."
            )
            fail(self._note(Kind.DISPATCHED), PluginError(mask(text)))

    def _keep(self, rows: Sequence[Any]) -> None:
        orders = [row for row in rows if isinstance(row, NewOrder)]
        if orders:
            self._keeper.orders(self._note(Kind.ORDERS), orders)
        for kind, changes in by_kind(rows).items():
            note = self._note(kind)
            note.pages += 1
            self._keeper.changes(kind, note, changes, None)

    def _note(self, kind: Kind) -> TaskNote:
        return self._job.notes.setdefault(kind, TaskNote())


def by_kind(rows: Sequence[Any]) -> dict[Kind, list[StatusChange]]:
    """The changes among these rows, by the kind of pass that would have brought them."""
    found: dict[Kind, list[StatusChange]] = {}
    for row in rows:
        if not isinstance(row, NewOrder):
            found.setdefault(_kind_of(getattr(row, "status", Status.UNKNOWN)), []).append(row)
    return found


def _kind_of(status: Status) -> Kind:
    """What cannot be read stands with the dispatches: of whatever kind, it is one row."""
    return next((kind for kind in _KINDS if status in STATUSES_OF[kind]), Kind.DISPATCHED)
