"""Secrets stand outside the configuration file; it only says where each one is.

Three places, best first: a systemd credential, a file that only its owner can read, an
environment variable. No message of this module holds a value.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from syncd.errors import SyncdError
from syncd.log import register_secret

MAX_BYTES: Final = 64 * 1024
SOURCES: Final = ("credential", "file", "env")
ADVICE: Final = (
    'write a reference instead: { credential = "name" }, { file = "/path" } or { env = "NAME" }'
)


class SecretError(SyncdError):
    """A secret cannot be read from where the configuration says it is."""

    code = "secret_unreadable"


def resolve(reference: Any, *, folder: Path, env: Mapping[str, str]) -> str:
    """The secret that ``reference`` points to, without the line end behind it.

    ``folder`` is where a relative file name starts from. From here on the log hides the
    secret. Raises SecretError.
    """
    value = _read(reference, folder, env)
    register_secret(value)
    return value


def _read(reference: Any, folder: Path, env: Mapping[str, str]) -> str:
    source, name = _one_source(reference)
    if source == "env":
        if name not in env:
            raise SecretError(f"environment variable {name} is not set")
        return _checked(env[name].encode(), f"environment variable {name}")
    if source == "file":
        return _checked(_read_private(folder / name), f"secret file {folder / name}")
    return _checked(_read_credential(name, env), f"credential {name}")


def _one_source(reference: Any) -> tuple[str, str]:
    if not isinstance(reference, Mapping):
        raise SecretError(f"a secret must not stand in this file; {ADVICE}")
    if len(reference) != 1 or next(iter(reference)) not in SOURCES:
        raise SecretError(f"exactly one of {', '.join(SOURCES)} is needed; {ADVICE}")
    source, name = next(iter(reference.items()))
    if not isinstance(name, str) or not name or "\0" in name:
        raise SecretError(f"{source} must be a name in quotes")
    return source, name


def _read_credential(name: str, env: Mapping[str, str]) -> bytes:
    """A file that systemd put there for this service alone; it minds who may read it."""
    if "/" in name or name in {".", ".."}:
        raise SecretError(f"credential {name} must be a plain name without a slash")
    folder = env.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise SecretError(
            f"credential {name} is not there: systemd gave this process no credentials; add "
            f"LoadCredential={name}:/etc/syncd/credentials/{name} to the unit, or use file"
        )
    try:
        with (Path(folder) / name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SecretError(
            f"credential {name} cannot be read ({error.strerror}); the unit needs "
            f"LoadCredential={name}:/etc/syncd/credentials/{name}"
        ) from None


def _read_private(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SecretError(f"secret file {path} cannot be read ({error.strerror})") from None
    try:
        # The open file is looked at, not the name, so that nobody can swap it in between.
        _check_private(path, os.fstat(handle))
        return os.read(handle, MAX_BYTES + 1)
    finally:
        os.close(handle)


def _check_private(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise SecretError(f"secret file {path} is not a plain file")
    if facts.st_uid not in {os.geteuid(), 0}:
        raise SecretError(
            f"secret file {path} belongs to uid {facts.st_uid}; "
            "it must belong to the user that runs syncd: chown it"
        )
    if stat.S_IMODE(facts.st_mode) & 0o177:
        raise SecretError(
            f"secret file {path} has mode {stat.S_IMODE(facts.st_mode):04o} and could be read "
            f"by others; run: chmod 600 {path}"
        )


def _checked(data: bytes, what: str) -> str:
    if len(data) > MAX_BYTES:
        raise SecretError(f"{what} is longer than {MAX_BYTES} bytes; it cannot be a secret")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{what} is not UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise SecretError(f"{what} is empty")
    if "\0" in text:
        raise SecretError(f"{what} holds a zero byte; it cannot be a secret")
    return text
