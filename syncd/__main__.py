"""``python -m syncd`` is the command ``syncd``."""

from __future__ import annotations

from syncd.cli.syncd_main import main

main(prog_name="syncd")
