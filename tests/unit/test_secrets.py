"""Where secrets may come from, and that no refusal shows one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.log import mask
from syncd.secrets import MAX_BYTES, SecretError, resolve

SECRET = "canary-4711-value"


def private(path: Path, text: str = SECRET, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_private_file(tmp_path: Path, mode: int, end: str) -> None:
    path = private(tmp_path / "token", SECRET + end, mode)
    assert resolve({"file": str(path)}, folder=Path("/"), env={}) == SECRET
    assert resolve({"file": "token"}, folder=tmp_path, env={}) == SECRET


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o700, 0o601])
def test_fault_E09_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "token", mode=mode)
    with pytest.raises(SecretError, match=r"mode 0\d{3}.*chmod 600") as caught:
        resolve({"file": str(path)}, folder=tmp_path, env={})
    assert SECRET not in str(caught.value)


def test_a_file_through_a_link_is_judged_by_what_it_is(tmp_path: Path) -> None:
    private(tmp_path / "open", mode=0o644)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    with pytest.raises(SecretError, match="mode 0644"):
        resolve({"file": "link"}, folder=tmp_path, env={})


def test_things_that_are_no_plain_file(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="No such file"):
        resolve({"file": "none"}, folder=tmp_path, env={})
    with pytest.raises(SecretError, match="not a plain file"):
        resolve({"file": str(tmp_path)}, folder=tmp_path, env={})
    with pytest.raises(SecretError, match="not a plain file"):
        resolve({"file": "/dev/null"}, folder=tmp_path, env={})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"secret file \S+ is empty"),
        (b"\n", r"secret file \S+ is empty"),
        (b" \t \n\n", r"secret file \S+ is empty"),
        (b"\xff\xfe" + SECRET.encode(), "not UTF-8"),
        (SECRET.encode() + b"\0", "zero byte"),
        (b"x" * (MAX_BYTES + 1), "longer than"),
    ],
)
def test_contents_that_cannot_be_a_secret(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(SecretError, match=reason) as caught:
        resolve({"file": str(path)}, folder=tmp_path, env={})
    assert SECRET not in str(caught.value)


def test_credentials_of_the_unit(tmp_path: Path) -> None:
    private(tmp_path / "shop.token", mode=0o440)  # systemd minds the access, not the mode
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert resolve({"credential": "shop.token"}, folder=Path("/"), env=env) == SECRET
    with pytest.raises(SecretError, match="LoadCredential=other:"):
        resolve({"credential": "other"}, folder=Path("/"), env=env)
    with pytest.raises(SecretError, match="systemd gave this process no credentials"):
        resolve({"credential": "shop.token"}, folder=tmp_path, env={})
    for name in ("../x", "a/b", "..", "."):
        with pytest.raises(SecretError, match="plain name"):
            resolve({"credential": name}, folder=tmp_path, env=env)


def test_environment() -> None:
    assert resolve({"env": "TOKEN"}, folder=Path("/"), env={"TOKEN": SECRET}) == SECRET
    with pytest.raises(SecretError, match="environment variable TOKEN is not set"):
        resolve({"env": "TOKEN"}, folder=Path("/"), env={})
    with pytest.raises(SecretError, match="environment variable TOKEN is empty"):
        resolve({"env": "TOKEN"}, folder=Path("/"), env={"TOKEN": " "})


@pytest.mark.parametrize(
    "value",
    [SECRET, 7, None, {}, {"vault": "x"}, {"env": "A", "file": "B"}, {"env": ""}, {"env": 7},
     {"file": "a\0b"}, [SECRET]],
)  # fmt: skip
def test_what_is_no_reference_is_refused_and_not_shown(value: Any) -> None:
    with pytest.raises(SecretError) as caught:
        resolve(value, folder=Path("/"), env={"A": SECRET, "7": SECRET})
    assert SECRET not in str(caught.value)


def test_a_secret_that_was_read_is_masked_from_then_on(tmp_path: Path) -> None:
    value = "fresh-value-only-here"
    private(tmp_path / "token", value)
    assert mask(value) == value
    resolve({"file": "token"}, folder=tmp_path, env={})
    assert mask(f"<{value}>") == "<***>"
