"""Wheels of the core and of every plugin, and clean environments that are made from them.

Nothing is downloaded. An environment sees the wheels that were installed into it and, by links,
those other distributions of this one that the wheels' metadata names, and what these name; so
a dependency that a plugin forgot to name is missing there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final[Mapping[str, Path]] = {
    "syncd": ROOT,
    **{f"syncd_{path.name}": path for path in sorted((ROOT / "plugins").iterdir())},
}
"""Where the sources of each package stand."""

_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
_PIP: Final = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def clean_environment() -> dict[str, str]:
    """The variables of this process but for those that could lead to the repository."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "SYNCD", "PIP", "VIRTUAL_ENV", "COV"))
    }


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed, in an environment that knows of no repository."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean_environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


class Wheelhouse:
    """All wheels, built from copies of just their sources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        copies = [self._copy(package, source) for package, source in SOURCES.items()]
        run(
            *_PIP, "wheel", "--no-index", "--no-deps", "--no-build-isolation",
            "--wheel-dir", folder, *copies, cwd=folder,
        )  # fmt: skip
        self.wheels = {path.name.split("-")[0]: path for path in sorted(folder.glob("*.whl"))}

    def install(self, wanted: str, home: Path) -> Path:
        """A new environment at ``home`` with this requirement alone. Returns its programs."""
        run(sys.executable, "-m", "venv", "--without-pip", home, cwd=self.folder)
        (packages,) = home.glob("lib/python*/site-packages")
        links = home / "others"
        links.mkdir()
        for other in self.others(wanted).values():
            for entry in _entries(other):
                place = links / entry.name
                if not place.exists():
                    place.symlink_to(entry)
        (packages / "others.pth").write_text(f"{links}\n")
        run(
            *_PIP, "--python", home / "bin" / "python", "install", "--no-compile", "--no-index",
            "--find-links", self.folder, wanted, cwd=self.folder,
        )  # fmt: skip
        return home / "bin"

    def ours(self, wanted: str) -> set[str]:
        """The distributions of ours that the requirement leads to."""
        return {name for name in self._closure(Requirement(wanted), {}) if self._wheel(name)}

    def others(self, wanted: str) -> dict[str, Distribution]:
        """The distributions of this environment that the requirement leads to."""
        found = self._closure(Requirement(wanted), {})
        return {name: one for name, one in found.items() if self._wheel(name) is None}

    def _copy(self, package: str, source: Path) -> Path:
        copy = self.folder / f"source-{package}"
        shutil.copytree(source / package, copy / package, ignore=_LEFT_OUT)
        for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            if (source / name).exists():
                shutil.copy(source / name, copy)
        return copy

    def _wheel(self, name: str) -> Path | None:
        return self.wheels.get(name.replace("-", "_"))

    def _closure(
        self, wanted: Requirement, found: dict[str, Distribution]
    ) -> dict[str, Distribution]:
        name = canonicalize_name(wanted.name)
        if name in found and not wanted.extras:
            return found
        wheel = self._wheel(name)
        found[name] = distribution(name) if wheel is None else _in_wheel(wheel)
        for text in found[name].requires or ():
            need = Requirement(text)
            if need.marker is None or any(
                need.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)
            ):
                self._closure(need, found)
        return found


def _in_wheel(wheel: Path) -> Distribution:
    name, version = wheel.name.split("-")[:2]
    return PathDistribution(zipfile.Path(wheel, f"{name}-{version}.dist-info/"))


def _entries(one: Distribution) -> Iterator[Path]:
    """What the distribution put at the top of its folder of packages."""
    for top in {file.parts[0] for file in one.files or ()} - {"..", "__pycache__"}:
        yield Path(str(one.locate_file(top)))
