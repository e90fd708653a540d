"""The log: one JSON object a line on stderr, or readable text on a terminal. No secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, TextIO
from urllib.parse import quote, quote_plus

import structlog

from syncd.clock import Clock, SystemClock

MASK: Final = "***"
SHORTEST_SECRET: Final = 4
LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_SECRET_WORDS: Final = (
    "token",
    "password",
    "passwd",
    "secret",
    "authorization",
    "api_key",
    "apikey",
    "cookie",
    "private_key",
)
_QUERY: Final = re.compile(r"\?[\w.~%\-]+=[^\s'\"<>)]*")
_TALKERS: Final = ("urllib3", "requests")  # their chatter is of addresses, with what they carry
_JOURNAL_LEVELS: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}

_LAYOUT: Final = logging.Formatter()

_guard = threading.Lock()
_secrets: tuple[str, ...] = ()


def register_secret(value: str) -> None:
    """Never show this text in the log again, in whatever form it is usually written.

    Shorter than four characters cannot be told from ordinary text and is not masked.
    """
    global _secrets
    if len(value) < SHORTEST_SECRET:
        return
    forms = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}
    forms |= {json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    with _guard:
        # Longest first: a secret that holds another one must go as a whole.
        _secrets = tuple(sorted({*_secrets, *forms}, key=len, reverse=True))


def mask(text: str) -> str:
    """``text`` with every registered secret made unreadable."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def configure(
    level: str = "info", *, stream: TextIO | None = None, clock: Clock | None = None
) -> Lines:
    """Set up the log for the whole process; may be called again to change the level.

    ``stream`` is stderr if not given. Returns the writer, which counts lost lines.
    """
    target = sys.stderr if stream is None else stream
    lines = Lines(target)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            _Stamp(clock or SystemClock()),
            structlog.processors.format_exc_info,
            _mask_keys,
            *_renderer(target),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_args: lines,
        cache_logger_on_first_use=False,
    )
    _take_over_stdlib()
    return lines


class Lines:
    """Writes log lines; a stream that is full, closed or gone loses lines and stops nothing.

    ``lost`` counts them until the next line that gets through, which tells the number.
    """

    def __init__(self, stream: TextIO) -> None:
        self._write = _unbuffered(stream)
        self._lock = threading.Lock()
        self.lost = 0

    def msg(self, line: str) -> None:
        """Write one line."""
        with self._lock:
            if self.lost:
                line = f"{line}\n{json.dumps({'event': 'log lines lost', 'lines': self.lost})}"
            try:
                self._write(line + "\n")
            except (OSError, ValueError):
                self.lost += 1
            else:
                self.lost = 0

    debug = info = warning = error = critical = exception = fatal = log = msg


def _unbuffered(stream: TextIO) -> Callable[[str], None]:
    """How to write to ``stream`` so that nothing that fails is kept for a second try: at the end
    of the process such a rest would turn a good exit code into a bad one."""
    try:
        handle = stream.fileno()
    except (OSError, ValueError):

        def write_through(text: str) -> None:
            stream.write(text)
            stream.flush()

        return write_through

    def write_out(text: str) -> None:
        rest = text.encode("utf-8", "backslashreplace")
        while rest:
            rest = rest[os.write(handle, rest) :]

    return write_out


class _Stamp:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(
        self, _logger: Any, _name: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["time"] = self._clock.now().isoformat(timespec="milliseconds")
        return event


def _renderer(stream: TextIO) -> list[Any]:
    if stream.isatty():
        return [structlog.dev.ConsoleRenderer(timestamp_key="time"), _mask_line]
    with_level = [_mark_level] if _is_journal(stream) else []
    return [_one_line, _mask_line, *with_level]


def _one_line(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> str:
    return json.dumps(event, default=repr, ensure_ascii=False)


def _mask_line(_logger: Any, _name: str, line: str) -> str:
    return mask(line)


def _mark_level(_logger: Any, name: str, line: str) -> str:
    """The number in front by which journald knows the level."""
    return f"<{_JOURNAL_LEVELS.get(name, 6)}>{line}"


def _is_journal(stream: TextIO) -> bool:
    """Whether ``stream`` goes to journald: the device and inode that systemd names."""
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{facts.st_dev}:{facts.st_ino}"


def _mask_keys(
    _logger: Any, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: _masked(key, value, 0) for key, value in event.items()}


def _masked(key: str, value: Any, depth: int) -> Any:
    """``value`` without what stands under a telling name, however deep."""
    if any(word in key.lower().replace("-", "_") for word in _SECRET_WORDS):
        return MASK if isinstance(value, str | bytes | Mapping | list | tuple) else value
    if depth > 8:
        return MASK
    if isinstance(value, Mapping):
        return {str(k): _masked(str(k), v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_masked("", v, depth + 1) for v in value]
    return value


class _ToStructlog(logging.Handler):
    """Hands the log records of libraries on, from warnings upward, without queries of addresses:
    a panel may want a token there."""

    def emit(self, record: logging.LogRecord) -> None:
        name = "error" if record.levelno >= logging.ERROR else "warning"
        try:
            fields: dict[str, Any] = {"logger": record.name}
            if record.exc_info:
                told = _LAYOUT.formatException(record.exc_info)
                fields["exception"] = _QUERY.sub("?***", told)
            getattr(structlog.get_logger(), name)(_QUERY.sub("?***", record.getMessage()), **fields)
        except Exception:  # what a library logs must never end the work that it logs about
            self.handleError(record)


def _take_over_stdlib() -> None:
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _ToStructlog)]:
        root.removeHandler(handler)
    root.addHandler(_ToStructlog(logging.WARNING))
    root.setLevel(logging.WARNING)
    for name in _TALKERS:  # whatever another handler lets the root logger show
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
