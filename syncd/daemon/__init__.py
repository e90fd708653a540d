"""The daemon: start, loop, stop. Exit codes: 0 stopped as asked, 1 start refused (another
daemon, an unusable book or socket), 78 configuration wrong."""

from __future__ import annotations

from syncd.daemon.main import (
    EXIT_CONFIG as EXIT_CONFIG,
    EXIT_OK as EXIT_OK,
    EXIT_REFUSED as EXIT_REFUSED,
    Options as Options,
    run as run,
)
