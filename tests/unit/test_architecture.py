"""The house keeps its shape: floors, what plugins may use, one clock, short functions."""

from __future__ import annotations

import ast
import configparser
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

import syncd

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "syncd").rglob("*.py"))
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/setup.cfg"))
PLUGIN_MODULES = sorted(
    path for plugin in PLUGINS for path in plugin.glob("syncd_*/**/*.py") if path.is_file()
)
LONGEST_FUNCTION = 60
PUBLIC_MODULES = (
    "syncd",
    "syncd.errors",
    "syncd.meanings",
    "syncd.shapes",
    "syncd.snapshots",
    "syncd.testing",
)
KNOWN_TO_TESTS = {
    "settings", "statuses",
    "folder", "table", "workbook",  # limits of report files
}  # fmt: skip
CLOCK_READS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "sleep"),
}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def imports_of(path: Path) -> Iterator[tuple[ast.stmt, str, list[str]]]:
    """Each absolute import: the statement, the module, the names taken from it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node, node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, []


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    return subprocess.run(
        [sys.executable, "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_imports_run_only_downward() -> None:
    answer = lint_imports(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_an_upward_import_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "syncd", tmp_path / "syncd", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    with (tmp_path / "syncd" / "errors.py").open("a") as file:
        file.write("\nimport syncd.book.tables\n")
    answer = lint_imports(tmp_path)
    assert answer.returncode == 1
    assert "syncd.errors -> syncd.book.tables" in answer.stdout


def test_the_core_names_its_own_modules_and_not_the_root() -> None:
    wrong = [
        f"{place(path, node)}: from syncd import {', '.join(names)}"
        for path in CORE
        for node, module, names in imports_of(path)
        if module == "syncd" and set(names) - {"__version__"}
    ]
    assert not wrong, "import from the submodule instead:\n" + "\n".join(wrong)


def test_no_core_module_imports_a_plugin() -> None:
    packages = {path.name for plugin in PLUGINS for path in plugin.glob("syncd_*")}
    assert packages
    wrong = [
        f"{place(path, node)}: {module}"
        for path in CORE
        for node, module, _ in imports_of(path)
        if module.split(".")[0] in packages
    ]
    assert not wrong, "\n".join(wrong)


def allowed_for_plugins(module: str, names: list[str]) -> bool:
    if module == "syncd":
        return set(names) <= {*syncd.__all__, "errors", "shapes", "testing"}
    return module in PUBLIC_MODULES or module.startswith("syncd.testing.")


def test_plugins_use_only_the_public_names() -> None:
    assert PLUGIN_MODULES
    wrong = [
        f"{place(path, node)}: {module} {names}"
        for path in PLUGIN_MODULES
        for node, module, names in imports_of(path)
        if module.split(".")[0] == "syncd" and not allowed_for_plugins(module, names)
    ]
    assert not wrong, f"plugins may use {', '.join(PUBLIC_MODULES)}:\n" + "\n".join(wrong)


def test_a_plugin_uses_only_the_face_of_another() -> None:
    """What ``syncd_other`` itself offers, or its simulator."""
    wrong = [
        f"{place(path, node)}: {module}"
        for path in PLUGIN_MODULES
        for node, module, _ in imports_of(path)
        if module.startswith("syncd_")
        and module.split(".")[0] not in path.parts
        and module.split(".")[1:] not in ([], ["simulator"])
    ]
    assert not wrong, "\n".join(wrong)


def test_tests_of_plugins_ask_the_hooks_and_not_the_readers_of_rows() -> None:
    """So what they reach was reached through the wire format; ``make coverage`` counts on it."""
    wrong = [
        f"{place(path, node)}: {module}.{name}"
        for plugin in PLUGINS
        for path in plugin.glob("tests/*.py")
        for node, module, names in imports_of(path)
        if module.startswith("syncd_")
        for name in ([module.split(".")[1]] if "." in module else names)
        if (plugin / module.split(".")[0] / f"{name}.py").exists()
        and not name.startswith("simulator")
        and name not in KNOWN_TO_TESTS
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_each_plugin_is_found_by_its_entry_point(plugin: Path) -> None:
    metadata = configparser.ConfigParser()
    metadata.read(plugin / "setup.cfg")
    entries = metadata["options.entry_points"]["syncd.channels"].split()
    assert entries[:2] == [plugin.name, "="] or entries[0].startswith(f"{plugin.name}=")


def clock_reads_of(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if (name, node.func.attr) in CLOCK_READS:
            yield f"{place(path, node)}: {name}.{node.func.attr}()"


def test_only_the_clock_reads_the_time() -> None:
    assert list(clock_reads_of(ROOT / "syncd" / "clock.py"))
    modules = [path for path in [*CORE, *PLUGIN_MODULES] if path != ROOT / "syncd" / "clock.py"]
    wrong = [line for path in modules for line in clock_reads_of(path)]
    assert not wrong, "take a syncd.clock.Clock as an argument instead:\n" + "\n".join(wrong)


def test_functions_stay_short() -> None:
    wrong = [
        f"{place(path, node)}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in [*CORE, *PLUGIN_MODULES, *sorted((ROOT / "tools").glob("*.py"))]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ]
    assert not wrong, f"more than {LONGEST_FUNCTION} lines:\n" + "\n".join(wrong)


def packages_under(folder: Path) -> list[Path]:
    return sorted({path.parent for path in folder.rglob("*.py")})


def test_every_folder_of_code_is_a_package() -> None:
    folders = packages_under(ROOT / "syncd")
    folders += [folder for plugin in PLUGINS for folder in packages_under(plugin)]
    wrong = [
        str(folder.relative_to(ROOT))
        for folder in folders
        if "tests" not in folder.parts and not (folder / "__init__.py").exists()
    ]
    assert not wrong, "setuptools leaves these out, they have no __init__.py: " + ", ".join(wrong)


def test_every_data_file_is_part_of_the_distribution() -> None:
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    patterns = metadata["options.package_data"]["syncd"].split()
    files = [
        path.relative_to(ROOT / "syncd").as_posix()
        for path in sorted((ROOT / "syncd").rglob("*"))
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    ]
    assert "rules/table.toml" in files
    wrong = [name for name in files if not any(fnmatch(name, pattern) for pattern in patterns)]
    assert not wrong, "add these to package_data in setup.cfg: " + ", ".join(wrong)
