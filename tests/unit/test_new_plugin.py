"""``syncctl plugin new``: what it makes works at once, and what it cannot make it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.testing.new_plugin import CannotMake, make

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_COPIER = "import sys; sys.modules['copier'] = None; from syncd.testing import new_plugin; "


def run(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, **env},
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip


def syncctl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", "syncd.cli.syncctl", *words)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A plugin just as the command makes it."""
    folder = tmp_path_factory.mktemp("made")
    done = syncctl(folder, "--json", "plugin", "new", "corner_shop", "--title", "Corner & Shop's")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    path = folder / told["path"]
    assert sorted(told["files"]) == sorted(
        str(one.relative_to(path)) for one in path.rglob("*") if one.is_file()
    )
    return path


def test_it_passes_its_own_tests_at_once(made: Path) -> None:
    setup = run(made, "-c", "import setuptools; setuptools.setup()", "-q", "egg_info")
    assert setup.returncode == 0, setup.stderr

    done = run(made, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider",
               PYTHONPATH=f"{made}{os.pathsep}{ROOT}")  # fmt: skip

    assert done.returncode == 0, done.stdout[-5_000:]
    assert int(done.stdout.split(" passed")[0].split()[-1]) > 40
    assert "skipped" not in done.stdout


def test_it_is_clean(made: Path) -> None:
    for words in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        done = run(made, "-m", *words, MYPYPATH=str(ROOT))
        assert done.returncode == 0, done.stdout


def test_nothing_of_the_template_is_left_in_it(tmp_path: Path) -> None:
    made = make("corner_shop", tmp_path, "Corner & Shop's")
    for path in (one for one in made.rglob("*") if one.is_file()):
        text = str(path.relative_to(made)) + path.read_text("utf-8", "replace")
        assert "{{" not in text.replace("{{...}}", ""), path
        assert ".jinja" not in text, path


def test_every_setting_stands_in_its_readme(made: Path) -> None:
    readme = (made / "README.md").read_text("utf-8")
    settings = (made / "syncd_corner_shop" / "settings.py").read_text("utf-8")
    names = re.findall(r"^    (\w+): ", settings, re.MULTILINE)
    assert "api_key" in names
    assert not [name for name in names if f"`{name}`" not in readme]


@pytest.mark.parametrize(
    ("name", "title", "camel"),
    [("myshop", "My Shop", "MyShop"), ("my_shop", "", "MyShop"), ("myshop", "Bazaar", "Myshop")],
)
def test_classes_are_named_after_the_title_where_it_is_the_name(
    tmp_path: Path, name: str, title: str, camel: str
) -> None:
    path = make(name, tmp_path, title)
    assert f"class {camel}Settings(" in (path / f"syncd_{name}" / "settings.py").read_text("utf-8")


@pytest.mark.parametrize("name", ["", "Shop", "1shop", "my-shop", "_shop", "a__b", "x" * 31, "a/b"])
def test_a_name_that_no_channel_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotMake, match="cannot be a channel's name") as refused:
        make(name, tmp_path)
    assert "such as: myshop" in refused.value.do
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("title", ['a"b', "a\nb", " x", "{{ 7 * 7 }}", "x" * 61])
def test_a_title_that_would_break_the_source_is_refused(tmp_path: Path, title: str) -> None:
    with pytest.raises(CannotMake, match="title"):
        make("shop", tmp_path, title)
    assert not list(tmp_path.iterdir())


def test_the_name_of_an_installed_channel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotMake, match="syncd-flipkart brings it"):
        make("flipkart", tmp_path)


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "syncd-shop"
    mine.mkdir()
    done = syncctl(tmp_path, "plugin", "new", "shop")
    assert done.returncode == 6
    assert done.stderr.splitlines() == [
        "syncctl: syncd-shop is there already; it was left as it is.",
        "  Choose another name, or another folder with --into.",
    ]
    assert not list(mine.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotMake, match="There is no folder"):
        make("shop", tmp_path / "absent")


def test_without_copier_it_says_what_to_install(tmp_path: Path) -> None:
    code = WITHOUT_COPIER + "sys.exit(new_plugin.main(sys.argv[1:]))"
    done = run(tmp_path, "-c", code, "shop", str(tmp_path), "")
    assert done.returncode == 1
    assert json.loads(done.stdout)["do"] == (
        "Install it: pip install copier (the extra syncd[kit] has it, and all for tests)"
    )
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = syncctl(tmp_path, "--json", "plugin", "new", "shop", "--into", "file")
    assert done.returncode == 6
    assert "no folder" in json.loads(done.stderr)["detail"]
