"""One daemon for one state directory: a lock that dies with the process that holds it."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from syncd.errors import SyncdError

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class StartRefused(SyncdError):
    """The daemon cannot start here; the message says why and what to do."""

    code = "start_refused"


class StateLock:
    """Holds ``lock`` in the state directory, with this process's id in it, until released.

    The file itself stays: whether it is locked counts, not whether it is there.
    """

    def __init__(self, state_dir: Path) -> None:
        """Make the directory if needed and take the lock. Raises StartRefused."""
        self.path = state_dir / "lock"
        try:
            _make_private(state_dir)
            self._handle = os.open(self.path, _FLAGS, 0o600)
        except OSError as error:
            raise StartRefused(
                f"The state directory {state_dir} cannot be used ({error.strerror}). It must be a "
                f"directory that uid {os.geteuid()} may write to; choose another with state_dir."
            ) from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._handle, 32, 0).decode("ascii", "replace").strip()
            os.close(self._handle)
            raise StartRefused(
                f"Another syncd works on {state_dir} already: process {holder or 'unknown'}. "
                "Stop it first, or give this one its own state_dir."
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._handle)


def _make_private(folder: Path) -> None:
    """Nobody but us may look into the state directory: it holds tokens and the book."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.stat()
    if facts.st_uid == os.geteuid() and stat.S_IMODE(facts.st_mode) & 0o077:
        folder.chmod(0o700)
