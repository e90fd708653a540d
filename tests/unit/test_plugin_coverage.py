"""The gate of ``make coverage``: each plugin by itself, its simulator apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.plugin_coverage import PLUGINS, main, measured, table

NAMES = sorted(one.parent.name for one in PLUGINS.glob("*/setup.cfg"))


def file(reached: int, missed: int) -> dict[str, Any]:
    summary = {"num_statements": reached + missed, "covered_lines": reached}
    return {"summary": summary, "missing_lines": list(range(1, missed + 1))}


def report(**of_plugins: tuple[int, int]) -> dict[str, Any]:
    shares = {**dict.fromkeys(NAMES, (100, 0)), **of_plugins}
    files = {f"plugins/{n}/syncd_{n}/api.py": file(*share) for n, share in shares.items()}
    return {"files": files}


def test_a_simulator_counts_apart_and_tests_do_not_count() -> None:
    found = measured(
        {
            "files": {
                "plugins/paytm/syncd_paytm/api.py": file(19, 1),
                "plugins/paytm/syncd_paytm/simulator_rows.py": file(1, 9),
                "plugins/paytm/tests/test_conformance.py": file(5, 5),
            }
        },
        ["paytm"],
    )

    assert (found["paytm"].own.percent, found["paytm"].simulator.percent) == (95.0, 10.0)
    assert table(found).splitlines()[1] == "paytm           20    95.0%      10.0%  api.py:1"


@pytest.mark.parametrize(("share", "code"), [((95, 5), 0), ((94, 6), 1), ((0, 0), 1)])
def test_each_plugin_must_reach_enough(
    share: tuple[int, int], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps(report(paytm=share)))

    assert main(str(path)) == code
    assert ("paytm: its tests reach less" in capsys.readouterr().out) is bool(code)
