"""How many lines of each plugin its own tests reach; fails where they are too few.

``python -m tools.plugin_coverage FILE`` reads the JSON report of coverage.py, as ``make coverage``
makes it. Simulators are no part of a plugin's lines: they are shown apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

LEAST: Final = 95.0  # percent of the lines of each plugin
PLUGINS: Final = Path(__file__).resolve().parents[1] / "plugins"


@dataclass
class Count:
    """Lines that can run, and those of them that ran."""

    lines: int = 0
    reached: int = 0

    @property
    def percent(self) -> float:
        """What a plugin without lines reaches is nothing: it was not measured."""
        return 100 * self.reached / self.lines if self.lines else 0.0


@dataclass
class Plugin:
    """One plugin's count, and its simulator's; ``missed`` names lines as FILE:LINE."""

    own: Count
    simulator: Count
    missed: list[str]


def measured(report: Mapping[str, Any], names: list[str]) -> dict[str, Plugin]:
    """What the report says of each of these plugins."""
    found = {name: Plugin(Count(), Count(), []) for name in names}
    for path, file in report["files"].items():
        _, name, package, *_, module = PurePosixPath(path).parts
        if package != f"syncd_{name}":
            continue
        plugin = found[name]
        played = module.startswith("simulator")
        count = plugin.simulator if played else plugin.own
        count.lines += file["summary"]["num_statements"]
        count.reached += file["summary"]["covered_lines"]
        if not played:
            plugin.missed += [f"{module}:{line}" for line in file["missing_lines"]]
    return found


def table(plugins: Mapping[str, Plugin]) -> str:
    """A line for each plugin."""
    lines = [f"{'plugin':<12}{'lines':>6}{'reached':>9}{'simulator':>11}  not reached"]
    for name, one in plugins.items():
        lines.append(
            f"{name:<12}{one.own.lines:>6}{one.own.percent:>8.1f}%"
            f"{one.simulator.percent:>10.1f}%  {' '.join(one.missed)}".rstrip()
        )
    return "\n".join(lines)


def main(path: str) -> int:
    """Print the table; 1 if a plugin has too few."""
    names = sorted(one.parent.name for one in PLUGINS.glob("*/setup.cfg"))
    plugins = measured(json.loads(Path(path).read_text("utf-8")), names)
    print(table(plugins))
    few = [name for name, one in plugins.items() if one.own.percent < LEAST]
    for name in few:
        print(f"{name}: its tests reach less than {LEAST:g} % of its lines. Write tests for them.")
    return 1 if few else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
