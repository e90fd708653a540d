"""The life of the daemon: what is started in which order, the loop, and the way out."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import Struct

from syncd.book import runs
from syncd.book.store import Book
from syncd.channels import Channels, discover
from syncd.clock import Clock, SystemClock
from syncd.config import Config, Loaded, load_all
from syncd.control.server import ControlServer
from syncd.daemon.accounts import ensure_accounts
from syncd.daemon.lock import StateLock
from syncd.daemon.service import DaemonService
from syncd.daemon.signals import Signals
from syncd.daemon.watching import Watcher
from syncd.daemon.wiring import Wiring
from syncd.engine.local import LocalEngine
from syncd.errors import ConfigError, SyncdError
from syncd.log import configure as configure_log
from syncd.notify import Notifier
from syncd.passes import Conductor
from syncd.timetable import Timetable, ensure_tasks, use_utc
from syncd.tokens import FileTokens

EXIT_OK: Final = 0
EXIT_REFUSED: Final = 1
EXIT_CONFIG: Final = 78
LOOP_SECONDS: Final = 0.5
RELOAD_SECONDS: Final = 20.0
STOP_SECONDS: Final = 3.0  # for the runs in hand
WATCHER_STOP_SECONDS: Final = 0.3  # for the batch of timers in hand, which is soon written
SERVER_STOP_SECONDS: Final = 1.5  # for the answers under way: all in all below five seconds

log = structlog.get_logger("syncd.daemon")


class Options(Struct, frozen=True, kw_only=True):
    """What the command line says. ``log_level`` goes before the configuration's."""

    config_path: Path
    log_level: str | None = None


class _StopEarly(Exception):
    pass


def run(
    options: Options, *, env: Mapping[str, str] = os.environ, clock: Clock | None = None
) -> int:
    """Run the daemon in this thread, which must be the main one, until it is asked to stop."""
    os.umask(0o077)
    use_utc()
    faulthandler.enable()  # when the watchdog kills us, the log shows where every thread stood
    clock = clock or SystemClock()
    configure_log(options.log_level or "info", clock=clock)
    daemon = _Daemon(options, env, clock)
    try:
        with daemon.started():
            daemon.loop()
    except _StopEarly:
        log.info("stopped while starting")
    except ConfigError as error:
        _print_problems(error)
        return EXIT_CONFIG
    except SyncdError as error:
        print(f"syncd: {error}", file=sys.stderr)
        return EXIT_REFUSED
    return EXIT_OK


def _print_problems(error: ConfigError) -> None:
    print(f"syncd: {error.path}: {len(error.problems)} problem(s)", file=sys.stderr)
    for problem in error.problems:
        print(f"  {problem}", file=sys.stderr)


class _Daemon:
    """The parts, made by ``started`` in order and taken down in the opposite order."""

    book: Book
    wiring: Wiring
    engine: LocalEngine
    timetable: Timetable
    service: DaemonService
    server: ControlServer
    watcher: Watcher

    def __init__(self, options: Options, env: Mapping[str, str], clock: Clock) -> None:
        self.options = options
        self.env = env
        self.clock = clock
        self._socket: Path | None = None
        self._places: dict[str, Path] = {}  # what stays as it was at the start
        self._asked: deque[Future[Mapping[str, Any]]] = deque()
        self._stuck = ""
        self._status = ""
        self._last_ping = clock.monotonic()
        self.notifier = Notifier(clock, env)
        self.signals = Signals(self.leave_at_once)

    # --- start and stop

    @contextmanager
    def started(self) -> Iterator[None]:
        """Start everything; whatever happens, take down what was started."""
        channels = discover()
        loaded = self._load(channels)
        with self._locked(loaded.config), self._opened(loaded.config):
            self._wire(loaded, channels)
            try:
                self._serve(loaded.config)
                self._begin()
                yield
            finally:
                self._stop()

    def leave_at_once(self) -> None:
        """End the process now. Nothing is lost: the book holds only whole transactions."""
        if self._socket is not None:
            self._socket.unlink(missing_ok=True)
        os._exit(EXIT_OK)

    def _load(self, channels: Channels) -> Loaded:
        loaded = load_all(self.options.config_path, channels, self.env)
        level = self.options.log_level or loaded.config.log_level
        configure_log(level, clock=self.clock)
        for warning in loaded.warnings:
            log.warning("configuration", advice=warning)
        for name, reason in loaded.unavailable.items():
            log.error("account cannot run", account=name, reason=reason)
        self._places = {"state_dir": loaded.config.state_dir, "socket": loaded.config.socket}
        self._check_stop()
        return loaded

    @contextmanager
    def _locked(self, config: Config) -> Iterator[None]:
        lock = StateLock(config.state_dir)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _opened(self, config: Config) -> Iterator[None]:
        self._check_stop()
        self.book = Book.open(config.state_dir / "book.sqlite3", self.clock)
        try:
            yield
        finally:
            self.book.close()

    def _wire(self, loaded: Loaded, channels: Channels) -> None:
        self._check_stop()
        tokens = FileTokens(loaded.config.state_dir / "tokens", clock=self.clock)
        self.wiring = Wiring(loaded, channels, tokens, self.clock)
        conductor = Conductor(self.book, self.wiring.setup, self.wiring.panel, self.clock)
        self.engine = LocalEngine(self.book, conductor.conduct, self.clock)
        self.timetable = Timetable(self.book, self.clock, self.engine.wake)
        self.service = DaemonService(
            self.book,
            self.engine,
            channels,
            loaded.config,
            self.clock,
            self.reload_and_wait,
            self.wiring.setup,
        )
        self.watcher = Watcher(self.book, self.service.limits, self.clock, self._note_timers)
        self._note_timers("")
        self._align(loaded)
        again = runs.recover(self.book, self.clock.now())
        if again:
            log.warning("runs broken off by the last end are done again", runs=again)

    def _align(self, loaded: Loaded) -> None:
        """Bring book, wiring and timers in line with a configuration."""
        now = self.clock.now()
        with self.book.write():
            unavailable = ensure_accounts(self.book, loaded.config, loaded.unavailable, now)
            ensure_tasks(self.book, loaded.config, now, self.wiring.offered(loaded))
        self.wiring.replace(loaded, unavailable)

    def _serve(self, config: Config) -> None:
        self.server = ControlServer(self.service, config.socket)
        self.server.start()
        self._socket = config.socket
        self._check_stop()

    def _begin(self) -> None:
        accounts = self.wiring.runnable()
        self.engine.start(accounts)
        self.timetable.arm(accounts)
        self.watcher.start()
        self._status = self._sentence()
        self.notifier.ready(self._status)
        log.info("ready", accounts=len(accounts), pid=os.getpid())

    def _stop(self) -> None:
        self.notifier.stopping("stopping")
        self.service.close()
        all_ended = self.engine.stop(STOP_SECONDS)
        all_ended = self.watcher.stop(WATCHER_STOP_SECONDS) and all_ended
        if self._socket is not None:
            self.server.stop(SERVER_STOP_SECONDS)
            self._socket = None
        if not all_ended:
            # The lock must not be given back while a thread still works: it goes with us.
            log.warning("left runs in hand; they are done again at the next start")
            self.leave_at_once()
        log.info("stopped")

    def _check_stop(self) -> None:
        if self.signals.stopping:
            raise _StopEarly

    # --- the loop

    def loop(self) -> None:
        """Until a signal asks to stop: tick the timers, keep systemd informed, reload."""
        while not self.signals.stopping:
            self._reload_if_asked()
            self.timetable.run_pending()
            self._tell_systemd()
            self._mind_the_server()
            self.signals.wait(LOOP_SECONDS)

    def reload_and_wait(self) -> Mapping[str, Any]:
        """For the API's threads: have the main loop reload, and give its result or its error.

        Raises ConfigError, and TimeoutError when the loop does not come to it.
        """
        asked: Future[Mapping[str, Any]] = Future()
        self._asked.append(asked)
        self.signals.wake()
        return asked.result(RELOAD_SECONDS)

    def _reload_if_asked(self) -> None:
        asked = [self._asked.popleft() for _ in range(len(self._asked))]
        if not self.signals.take_reload() and not asked:
            return
        self.notifier.reloading()
        try:
            told = self._adopt(load_all(self.options.config_path, self.wiring.channels, self.env))
        except SyncdError as error:
            self._refuse_reload(error)
            for one in asked:
                one.set_exception(error)
        else:
            for one in asked:
                one.set_result(told)
        self.notifier.ready(self._sentence())

    def _adopt(self, loaded: Loaded) -> dict[str, Any]:
        """Take over a configuration whole; what came of it, for whoever asked."""
        notes = _needs_restart(self._places, loaded.config)
        changed = self.wiring.changed(loaded)
        self._align(loaded)
        configure_log(self.options.log_level or loaded.config.log_level, clock=self.clock)
        accounts = self.wiring.runnable()
        self.engine.start(accounts)
        for name in changed:
            self.engine.restart(name)
        self.timetable.arm(accounts)
        self.service.adopt(loaded.config)
        self.watcher.wake()
        self.service.own_problems["config"] = " ".join(notes)
        unavailable = dict(self.wiring.unavailable)
        told = {
            "accounts": accounts, "changed": changed, "unavailable": unavailable, "notes": notes
        }  # fmt: skip
        log.info("configuration read again", **told)
        return told

    def _refuse_reload(self, error: SyncdError) -> None:
        """The old configuration stays in force as if nothing had been asked."""
        problems = error.problems if isinstance(error, ConfigError) else [str(error)]
        log.error("configuration refused, the old one stays in force", problems=problems)
        self.service.own_problems["config"] = (
            "The changed configuration was refused, the old one stays in force. Problems: "
            f"{len(problems)}, the first: {problems[0]}. See all with: syncd --check"
        )

    def _tell_systemd(self) -> None:
        """The watchdog is fed from here, and only while the runs go on as well."""
        stuck = self.engine.beat()
        if stuck != self._stuck:
            self._stuck = stuck
            self.service.own_problems["work"] = f"Work is stuck: {stuck}." if stuck else ""
            log.error("work is stuck", reason=stuck or "it goes on again")
        status = self._sentence()
        if status != self._status:
            self._status = status
            self.notifier.status(status)
        every = self.notifier.watchdog_seconds / 4
        now = self.clock.monotonic()
        if every and not stuck and now - self._last_ping >= every:
            self._last_ping = now
            self.notifier.watchdog()

    def _sentence(self) -> str:
        if self._stuck:
            return f"stuck: {self._stuck}"
        busy = ", ".join(sorted(self.engine.running()))
        count = len(self.wiring.runnable())
        off = len(self.wiring.unavailable)
        text = f"{count} account{'s' if count != 1 else ''}"
        return text + (f", {off} off" if off else "") + (f"; running: {busy}" if busy else "")

    def _note_timers(self, trouble: str) -> None:
        self.service.own_problems["timers"] = trouble

    def _mind_the_server(self) -> None:
        """A control server that broke down is started again."""
        if self.server.alive():
            return
        log.error("the control server broke down, it is started again")
        self.server.stop()
        try:
            self.server = ControlServer(self.service, self._places["socket"])
            self.server.start()
        except SyncdError as error:
            log.error("the control server cannot start", code=error.code, reason=str(error))


def _needs_restart(places: Mapping[str, Path], new: Config) -> list[str]:
    """What a reload cannot change, as sentences."""
    return [
        f"{key} is still {path}; the change takes effect when syncd is started again."
        for key, path in places.items()
        if getattr(new, key) != path
    ]
