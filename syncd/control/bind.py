"""Make the daemon's socket in the file system, and take it away, without touching another's."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Final, NamedTuple

from syncd.errors import SyncdError

LONGEST_PATH: Final = 107  # bytes: the kernel's limit, less the closing zero
MODE: Final = 0o660
FOLDER_MODE: Final = 0o755
BACKLOG: Final = 128
_PROBE_SECONDS: Final = 1.0


class SocketRefused(SyncdError):
    """The control socket cannot be made at its path."""

    code = "socket_refused"


class Listener(NamedTuple):
    """A listening socket, and which file it is, so that only that one is ever removed."""

    socket: socket.socket
    path: Path
    device: int
    inode: int

    def in_place(self) -> bool:
        """Whether the file at the path still is this socket."""
        try:
            found = self.path.lstat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (self.device, self.inode)

    def remove(self) -> None:
        """Close the socket, and delete its file if it is still ours."""
        self.socket.close()
        if self.in_place():
            self.path.unlink(missing_ok=True)


def listen_at(path: Path, *, mode: int = MODE) -> Listener:
    """A listening socket at ``path``.

    A socket of our own that nobody answers is left over from a daemon that was killed: it is
    replaced. Anything else in the way stays. Raises SocketRefused with the reason.
    """
    length = len(os.fsencode(path))
    if length > LONGEST_PATH:
        raise SocketRefused(
            f"The socket path {path} has {length} bytes; the system allows {LONGEST_PATH}. Set a "
            "shorter one as socket in the configuration."
        )
    _clear_stale(path)
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            path.parent.chmod(FOLDER_MODE)  # whatever our umask: the socket's group must get in
    except OSError as error:
        raise SocketRefused(
            f"The folder {path.parent} of the socket cannot be made: {error.strerror}. Make it, "
            "or set another socket in the configuration."
        ) from error
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # Nobody can connect between these lines: a socket answers only once it listens.
        path.chmod(mode)
        listener.listen(BACKLOG)
        found = path.lstat()
    except OSError as error:
        listener.close()
        raise SocketRefused(
            f"The socket {path} cannot be made: {error.strerror or error}. Check the folder's "
            "permissions, or set another socket in the configuration."
        ) from error
    listener.setblocking(False)
    return Listener(listener, path, found.st_dev, found.st_ino)


def adopt(given: socket.socket) -> Listener:
    """A listening socket that the service manager made and will remove."""
    given.setblocking(False)
    return Listener(given, Path(str(given.getsockname())), -1, -1)


def _clear_stale(path: Path) -> None:
    """Delete a socket that is ours and that nobody answers; refuse whatever else is there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SocketRefused(
            f"{path} cannot be looked at: {error.strerror}. Check the folder's permissions."
        ) from error
    if not stat.S_ISSOCK(found.st_mode):
        what = _what(found.st_mode)
        raise SocketRefused(
            f"{path} is {what}, not a socket; it was left alone. Move it away, or set another "
            "socket in the configuration."
        )
    if found.st_uid != os.geteuid():
        raise SocketRefused(
            f"The socket {path} belongs to uid {found.st_uid}, not to this program's uid "
            f"{os.geteuid()}; it was left alone. Remove it as its owner."
        )
    if _answers(path):
        raise SocketRefused(
            f"Another program answers at {path}; two daemons must not share a socket. Stop it, "
            "or set another socket in the configuration."
        )
    path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    """Whether anyone listens there. Only a refused connection proves that nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def _what(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a file" if stat.S_ISREG(mode) else "something else"
