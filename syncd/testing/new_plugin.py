"""Make a new channel plugin from the template: ``syncctl plugin new`` runs this as a process.

It prints one JSON document: the folder and the files in it, or a failure with what to do.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import syncd
from syncd.errors import SyncdError
from syncd.hookspecs import ENTRY_POINT_GROUP

TEMPLATE: Final = Path(__file__).with_name("template")
MAX_NAME: Final = 30
MAX_TITLE: Final = 60
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TITLE: Final = re.compile(r"[\w .,&'()+-]+")


class CannotMake(SyncdError):
    """No plugin was made; nothing was written. ``do`` is what to try next."""

    code = "cannot_make"

    def __init__(self, message: str, do: str) -> None:
        self.do = do
        super().__init__(message)


def make(name: str, into: Path, title: str = "") -> Path:
    """Write a plugin for the channel ``name`` into a new folder of ``into``, and return it.

    Raises CannotMake when the name is no channel's name or taken, the title cannot stand in
    source text, the folder is there already, or copier is not installed.
    """
    title = title or name.replace("_", " ").title()
    _check_name(name)
    if len(title) > MAX_TITLE or not _TITLE.fullmatch(title) or title != title.strip():
        raise CannotMake(
            f"The title {title!r} cannot be used.",
            f"Give a --title of at most {MAX_TITLE} letters, digits, blanks and . , & ' ( ) + -",
        )
    target = into / f"syncd-{name.replace('_', '-')}"
    if target.exists() or target.is_symlink():
        raise CannotMake(
            f"{target} is there already; it was left as it is.",
            "Choose another name, or another folder with --into.",
        )
    if not into.is_dir():
        raise CannotMake(f"There is no folder {into}.", f"Make it first: mkdir -p {into}")
    if find_spec("copier") is None:
        raise CannotMake(
            "The library copier, which fills in the template, is not installed.",
            "Install it: pip install copier (the extra syncd[kit] has it, and all for tests)",
        )
    _fill(target, name, title)
    return target


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME or not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise CannotMake(
            f"{name!r} cannot be a channel's name.",
            f"A name is at most {MAX_NAME} small letters, digits and single underscores, and "
            "begins with a letter, such as: myshop",
        )
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        owner = entry.dist.name if entry.dist else entry.value
        raise CannotMake(
            f"The channel {name} is there already: the distribution {owner} brings it.",
            f"Choose another name, or uninstall it: pip uninstall {owner}",
        )


def _fill(target: Path, name: str, title: str) -> None:
    from copier import run_copy
    from copier.errors import CopierError

    answers = {
        "name": name,
        "title": title,
        "camel": _camel(name, title),
        "syncd_version": syncd.__version__,
    }
    try:
        run_copy(str(TEMPLATE), target, data=answers, defaults=True, quiet=True)
    except (CopierError, OSError) as error:
        raise CannotMake(
            f"{target} could not be written: {error}", "Look at the folder, and try again."
        ) from error


def _camel(name: str, title: str) -> str:
    """The beginning of the names of classes: the title's, where it is the same word."""
    written = "".join(part[:1].upper() + part[1:] for part in re.findall(r"[A-Za-z0-9]+", title))
    if written.lower() == name.replace("_", ""):
        return written
    return "".join(part.capitalize() for part in name.split("_"))


def main(arguments: Sequence[str]) -> int:
    """``NAME INTO TITLE``; exit code 0 with the folder, 1 with a failure."""
    name, into, title = arguments
    try:
        target = make(name, Path(into), title)
    except CannotMake as error:
        print(json.dumps({"detail": str(error), "do": error.do}))
        return 1
    files = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    print(json.dumps({"name": name, "path": str(target), "files": files}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
