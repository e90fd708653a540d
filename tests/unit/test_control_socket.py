"""The socket's file: made safely, replaced only when it is ours and dead, mended when deleted."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.control.bind import LONGEST_PATH, MODE, SocketRefused, listen_at
from syncd.control.server import ControlServer
from tests.controlkit import WAIT, House, running


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def dead_socket(path: Path) -> None:
    """What a killed daemon leaves behind."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def answers(house: House) -> bool:
    try:
        return house.ask("GET", "/version")[0] == 200
    except OSError:
        return False


def test_the_socket_is_for_owner_and_group_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        listener = listen_at(tmp_path / "run" / "s.sock")
    finally:
        os.umask(before)
    found = (tmp_path / "run" / "s.sock").stat()
    assert stat.S_IMODE(found.st_mode) == MODE == 0o660
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755
    listener.remove()
    assert not (tmp_path / "run" / "s.sock").exists()


def test_a_dead_socket_of_our_own_is_replaced(tmp_path: Path) -> None:
    dead_socket(tmp_path / "syncd.sock")
    with running(tmp_path) as house:
        assert answers(house)


def test_a_socket_that_someone_answers_is_left_alone(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        with pytest.raises(SocketRefused, match="Another program answers"):
            listen_at(house.socket)
        assert answers(house)


def test_G09_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    path.write_text("precious")
    with pytest.raises(SocketRefused, match="is a file, not a socket"):
        listen_at(path)
    assert path.read_text() == "precious"


def test_G09_a_folder_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s.sock").mkdir()
    with pytest.raises(SocketRefused, match="is a folder"):
        listen_at(tmp_path / "s.sock")


@pytest.mark.parametrize("dangling", [True, False], ids=["dangling", "to a dead socket"])
def test_G09_a_symbolic_link_is_left_alone(tmp_path: Path, dangling: bool) -> None:
    target = tmp_path / "real.sock"
    if not dangling:
        dead_socket(target)
    (tmp_path / "s.sock").symlink_to(target)
    with pytest.raises(SocketRefused, match="symbolic link"):
        listen_at(tmp_path / "s.sock")
    assert (tmp_path / "s.sock").is_symlink()
    assert target.exists() is not dangling


def test_G09_a_path_that_is_too_long_is_refused_with_its_length(tmp_path: Path) -> None:
    path = tmp_path / ("s" * (LONGEST_PATH + 1))
    with pytest.raises(SocketRefused, match=f"the system allows {LONGEST_PATH}"):
        listen_at(path)


def test_G09_the_longest_path_that_the_system_allows_works(tmp_path: Path) -> None:
    path = tmp_path / ("s" * (LONGEST_PATH - len(os.fsencode(tmp_path)) - 1))
    listen_at(path).remove()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SocketRefused, match="file/run"):
        listen_at(tmp_path / "file" / "run" / "s.sock")


def test_removing_leaves_a_socket_that_another_made_since(tmp_path: Path) -> None:
    listener = listen_at(tmp_path / "s.sock")
    (tmp_path / "s.sock").rename(tmp_path / "old.sock")  # so that its inode is not used again
    dead_socket(tmp_path / "s.sock")
    listener.remove()
    assert (tmp_path / "s.sock").exists()


def test_G10_a_deleted_socket_is_made_again(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        house.socket.unlink()
        until(lambda: answers(house))
    assert not house.socket.exists()


def test_G10_a_foreign_file_at_its_place_stays_and_the_socket_comes_when_it_goes(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as house:
        house.socket.unlink()
        house.socket.write_text("mine")
        time.sleep(1.3)  # longer than the server waits between two looks
        assert house.socket.read_text() == "mine"
        house.socket.unlink()
        until(lambda: answers(house))


def test_a_server_that_cannot_listen_says_why_at_start(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.socket.mkdir()
    with pytest.raises(SocketRefused, match="is a folder"):
        house.server.start()
    assert house.server.stop()
    assert house.socket.is_dir()
    house.book.close()


def test_a_socket_of_the_service_manager_is_used_and_not_removed(tmp_path: Path) -> None:
    house = House(tmp_path)
    given = socket.socket(socket.AF_UNIX)
    given.bind(str(house.socket))
    given.listen()
    house.server = ControlServer(house.service, house.socket, given=given)
    house.start()
    assert answers(house)
    house.stop()
    assert house.socket.exists()
