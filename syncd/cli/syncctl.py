"""The command ``syncctl``. It loads nothing of the daemon, so that it starts at once."""

from __future__ import annotations

import click

import syncd
from syncd.cli import (
    ctl_audit,
    ctl_channels,
    ctl_daemon,
    ctl_exceptions,
    ctl_goods,
    ctl_orders,
    ctl_overdue,
    ctl_parcels,
    ctl_plugin,
    ctl_report,
    ctl_runs,
    ctl_ship,
)
from syncd.cli.ctl_root import Root


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(syncd.__version__, prog_name="syncctl")
def main() -> None:
    """Look at syncd, and tell it what to do.

    Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 a run ended with failed
    items, 2 wrong usage, 3 the daemon is not running, 4 no permission, 5 not found, 6 refused,
    7 waited long enough (the run goes on), 78 the configuration is wrong.
    """


for command in (
    ctl_daemon.status, ctl_runs.trigger, ctl_runs.returns, ctl_runs.runs, ctl_runs.run,
    ctl_runs.events, ctl_runs.tasks, ctl_orders.order, ctl_orders.explain, ctl_orders.failed,
    ctl_orders.retry, ctl_exceptions.exceptions, ctl_exceptions.settle,
    ctl_orders.import_, ctl_goods.putaway, ctl_goods.stock, ctl_goods.warehouse,
    ctl_parcels.parcel, ctl_goods.sequence,
    ctl_goods.tenant, ctl_goods.facility, ctl_channels.channels, ctl_daemon.pause,
    ctl_daemon.resume, ctl_daemon.reload_, ctl_daemon.doctor, ctl_daemon.config,
    ctl_daemon.init, ctl_daemon.rules,
    ctl_daemon.completion, ctl_overdue.overdue, ctl_ship.may_ship, ctl_ship.brake,
    ctl_audit.audit, ctl_audit.drift, ctl_plugin.plugin, ctl_report.import_report,
):  # fmt: skip
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="syncctl")
