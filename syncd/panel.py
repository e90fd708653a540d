"""The one HTTP client that talks to a marketplace's panel.

Every call has a time limit for connecting, for each read and for the whole answer, a size
limit on the wire and after unpacking, and a pace. Reads are tried again; writes are not.
Redirects are not followed, cookies are not kept, and proxy settings of the environment are
ignored: a proxy is used only when one is handed in. No error or log call holds a secret.
"""

from __future__ import annotations

import random
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlencode

import msgspec
import requests
from msgspec import Struct

from syncd._address import Base, Params, scrubbed, shown, told_by
from syncd._bearer import Bearer
from syncd._body import FAILURES, read_body
from syncd._call import Call
from syncd._leash import Leash, LeashedAdapter
from syncd._links import MAX_LINKS, Links
from syncd._pace import DEFAULT, Buckets
from syncd._retry import asked_wait, back_off, http_date
from syncd._verdict import (
    TOO_FAST,
    Answer,
    Trouble,
    judge_body,
    judge_failure,
    judge_status,
    judge_unsendable,
)
from syncd.clock import Clock
from syncd.errors import PanelAnswer, PanelBusy, PanelError, PluginError, Stopped
from syncd.shapes import MALFORMED, decoder, plain, refusal
from syncd.tokens import Token, TokenStore

if TYPE_CHECKING:
    from syncd.hookspecs import Pace

T = TypeVar("T")

Authorise = Callable[["Panel", Token | None], Token]
"""A plugin's way to get a token. Given the panel and the old token, if there was one, it calls
the token endpoint and returns ``panel.new_token(...)``."""

Log = Callable[..., None]

__all__ = ["Authorise", "Limits", "Links", "Panel"]

NO_PACES: Final[Mapping[str, Pace]] = {}
WORTH_A_LOG_LINE: Final = 1.0  # seconds of waiting
LONGEST_PAUSE: Final = 60.0  # seconds that a plugin may wait at once


class Limits(Struct, frozen=True, kw_only=True):
    """What one call may cost.

    ``connect`` and ``read`` are seconds of silence, ``total`` the seconds of one try from
    connecting to the last byte. ``max_bytes`` holds on the wire and after unpacking.
    ``retries`` counts the tries after the first. A panel that asks for a longer wait than
    ``max_wait`` seconds fails the call with PanelBusy. ``max_links`` is the longest paging.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 60.0
    max_bytes: int = 32 * 1024 * 1024
    retries: int = 4
    max_wait: float = 120.0
    max_links: int = MAX_LINKS


DEFAULT_LIMITS: Final = Limits()


class Panel:
    """One account's client to its panel. To be used by one thread only.

    ``account`` names the account in errors and in the token store. ``stop`` ends each wait
    with Stopped. ``paces`` holds a token bucket per class of calls; ``buckets`` are those of an
    earlier Panel of this account, which go on from where they stood. ``proxies`` is a mapping
    as ``requests`` takes it, ``ca_bundle`` a file of certificates to trust instead of the
    usual ones. ``log`` is called as ``log(event, **fields)``.
    """

    def __init__(
        self,
        base_url: str,
        *,
        account: str,
        clock: Clock,
        tokens: TokenStore,
        stop: threading.Event | None = None,
        paces: Mapping[str, Pace] = NO_PACES,
        buckets: Buckets | None = None,
        limits: Limits = DEFAULT_LIMITS,
        jitter: Callable[[], float] = random.random,
        log: Log | None = None,
        proxies: Mapping[str, str] | None = None,
        ca_bundle: str | None = None,
    ) -> None:
        self.account = account
        self.calls = 0
        self.retries = 0
        self.limits = limits
        self._base = Base(base_url)
        self._clock = clock
        self._stop = stop or threading.Event()
        self._jitter = jitter
        self._log = log
        self._buckets = buckets or Buckets(paces, clock.monotonic())
        self._bearer = Bearer(account, tokens, clock, self._stop)
        self._authorising = False
        self._proxies = dict(proxies or {})
        self._verify: bool | str = ca_bundle or True
        self._leash = Leash(
            clock, self._stop, connect=limits.connect, read=limits.read, total=limits.total
        )
        self._session = _session(self._leash)
        self._date = ""
        self._skew = 0.0

    def __repr__(self) -> str:
        return f"Panel({self._base.url!r}, account={self.account!r})"

    # -- calls ------------------------------------------------------------------------------

    def get(
        self,
        path: str,
        *,
        shape: type[T],
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        authorise: Authorise | None = None,
        pace: str = DEFAULT,
        basic: tuple[str, str] | None = None,
    ) -> T:
        """Read ``path`` and return its answer as ``shape`` (``bytes``: the body as it is).

        ``params`` that are None are left out, a list is repeated. With ``authorise`` the call
        carries the account's token, fetched by it when there is none. ``basic`` is a user and
        password. ``path`` may be an absolute https address for a call without a token.

        Raises PanelBusy, PanelRefused, PanelGone, PanelAnswer, Stopped.
        """
        call = self._call("GET", self._joined(path, params, authorise), headers, basic, pace)
        call.secrets += told_by(params)
        return self._ask(call, shape, authorise)

    def post(
        self,
        path: str,
        *,
        shape: type[T],
        body: Any = None,
        form: Mapping[str, str] | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        authorise: Authorise | None = None,
        pace: str = DEFAULT,
        reads: bool = False,
        basic: tuple[str, str] | None = None,
    ) -> T:
        """Post ``body`` as JSON (or ``form`` as a form); else as :meth:`get`.

        ``reads=True`` says that the call changes nothing at the panel (a search): then it may
        be tried again.
        """
        call = self._call("POST", self._joined(path, params, authorise), headers, basic, pace)
        call.reads = reads
        call.secrets += [*told_by(params), *told_by(form)]
        if form is not None:
            call.body = urlencode(form).encode()
            call.headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            call.body = msgspec.json.encode(body)
            call.headers["Content-Type"] = "application/json"
        return self._ask(call, shape, authorise)

    def follow(
        self,
        link: str,
        *,
        shape: type[T],
        authorise: Authorise | None = None,
        headers: Mapping[str, str] | None = None,
        pace: str = DEFAULT,
        prefix: str = "",
    ) -> T:
        """Get a next link out of an answer; else as :meth:`get`.

        An absolute link must have the base address's scheme, host and port; a relative one
        begins with "/" and is put behind the base address and ``prefix``. Any other raises
        PanelAnswer. Use :class:`Links` to notice a ring.
        """
        call = self._call("GET", self._base.followed(link, prefix), headers, None, pace)
        return self._ask(call, shape, authorise)

    def new_token(
        self,
        access_token: str,
        *,
        expires_in: float,
        refresh_token: str = "",
        token_type: str = "bearer",
        header: str = "Authorization",
        param: str = "",
    ) -> Token:
        """A token that begins now and lives ``expires_in`` seconds. For an Authorise.

        ``header`` or ``param`` says how it is carried, see Token.
        """
        now = self._clock.now()
        return Token(
            access_token=access_token,
            expires_at=now + timedelta(seconds=min(max(0.0, expires_in), 3.2e9)),
            obtained_at=now,
            refresh_token=refresh_token,
            token_type=token_type,
            header=header,
            param=param,
        )

    def renew_token(self, authorise: Authorise) -> None:
        """Get a new token, where the panel refuses the old one inside a good answer (a 401 needs
        no such call). Then ask once more.

        Raises PanelRefused when one was fetched for this reason less than a minute ago.
        """
        self._bearer.renew(self._fetcher(authorise), f"account {self.account}")

    def wait(self, seconds: float) -> None:
        """Let the panel do work that was asked of it, for at most ``LONGEST_PAUSE`` seconds.

        Raises Stopped when the daemon wants to end.
        """
        if self._clock.wait(min(seconds, LONGEST_PAUSE), self._stop):
            raise Stopped(f"Stopped while account {self.account} waited for its panel.")

    def pace_seconds(self, name: str, calls: int) -> float:
        """How long so many further calls of a class would take, by its bucket as it stands."""
        bucket = self._buckets.of(name)
        return bucket.seconds(calls, self._clock.monotonic()) if bucket else 0.0

    @property
    def clock_skew(self) -> float:
        """The panel's clock minus ours in seconds, by its last Date header; 0 if none came."""
        return self._skew

    def server_now(self) -> datetime:
        """The present time by the panel's clock."""
        return self._clock.now() + timedelta(seconds=self._skew)

    def close(self) -> None:
        """Close the connections. The panel may still be used; it then opens new ones."""
        self._session.close()

    # -- the way of one call ----------------------------------------------------------------

    def _joined(self, path: str, params: Params | None, authorise: Authorise | None) -> str:
        if authorise and not path.startswith("/"):
            raise PluginError("A call that carries the token goes to base_url: give a path.")
        return self._base.joined(path, params)

    def _call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        basic: tuple[str, str] | None,
        pace: str,
    ) -> Call:
        call = Call(method, url, self.account, pace)
        if headers:
            call.headers.update(headers)
            call.secrets += headers.values()
        if basic:
            pair = b64encode(":".join(basic).encode()).decode()
            call.headers["Authorization"] = f"Basic {pair}"
            call.secrets += [*basic, pair]
        return call

    def _ask(self, call: Call, shape: type[T], authorise: Authorise | None) -> T:
        """Make the call and decode its answer; text that is not whole is asked for once more."""
        if self._authorising:
            authorise = None
        malformed: PanelAnswer | None = None
        while True:
            answer = self._answer(call, authorise)
            try:
                return self._decoded(call, answer, shape)
            except PanelAnswer as error:
                if error.code != MALFORMED or malformed or not call.reads:
                    raise
                malformed = error
            self._pause(call, Trouble(malformed, again=True), 0)

    def _decoded(self, call: Call, answer: Answer, shape: type[T]) -> T:
        if shape is bytes:
            return cast("T", answer.body)
        problem: PanelAnswer | None = judge_body(answer, call)
        if problem is None:
            try:
                return decoder(shape).decode(plain(answer.body))
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                problem = refusal(error, answer.body, str(call))
        raise self._clean(call, problem)

    def _answer(self, call: Call, authorise: Authorise | None) -> Answer:
        """The first good answer, after as many tries as the rules allow."""
        renewed = False
        attempt = 0
        while True:
            if authorise:
                call.carry(self._bearer.present(self._fetcher(authorise)))
            outcome = self._once(call)
            if isinstance(outcome, Answer):
                return outcome
            if outcome.status == 401 and authorise and not renewed:
                self._bearer.renew(self._fetcher(authorise), str(call))
                renewed = True
                continue
            if not self._may_repeat(call, outcome) or attempt >= self.limits.retries:
                raise self._clean(call, outcome.error)
            self._pause(call, outcome, attempt)
            attempt += 1

    def _may_repeat(self, call: Call, trouble: Trouble) -> bool:
        if trouble.asked is not None and trouble.asked > self.limits.max_wait:
            return False
        # A refresh token is good for one use: if it may have arrived, it is not sent again.
        return trouble.again and call.reads and not (self._authorising and trouble.sent)

    def _once(self, call: Call) -> Answer | Trouble:
        self._keep_pace(call)
        self.calls += 1
        self._leash.begin()
        try:
            answer = self._exchange(call)
        except (requests.RequestException, OSError, *FAILURES) as error:
            overdue = self._leash.overdue()
            return judge_failure(error, str(call), overdue=overdue)
        except PanelAnswer as error:
            return Trouble(error, again=error.code == MALFORMED, sent=True)
        except ValueError:
            return judge_unsendable(call)
        return self._judged(call, answer)

    def _exchange(self, call: Call) -> Answer:
        adapter = self._session.get_adapter(call.url)
        response = adapter.send(
            call.prepared(),
            stream=True,
            timeout=(self.limits.connect, self.limits.read),
            verify=self._verify,
            proxies=self._proxies,
        )
        try:
            self._note_date(response.headers)
            self._buckets.heed(call.pace, response.headers, self._clock.monotonic())
            body = read_body(response, self.limits.max_bytes, call)
        except BaseException:
            response.close()  # half an answer is left in the connection
            raise
        return Answer(response.status_code, response.headers, body)

    def _judged(self, call: Call, answer: Answer) -> Answer | Trouble:
        trouble = judge_status(answer, call, for_token=self._authorising)
        if trouble is None:
            return answer
        headers = answer.headers
        if trouble.again:
            now = self._clock.now()
            trouble.asked = asked_wait(headers.get("Retry-After"), headers.get("Date"), now)
            if isinstance(trouble.error, PanelBusy):
                trouble.error.retry_after = trouble.asked
        bucket = self._buckets.of(call.pace)
        if answer.status == TOO_FAST and bucket:
            bucket.slow_down(self._clock.monotonic())
        return trouble

    # -- waiting, tokens, telling -----------------------------------------------------------

    def _keep_pace(self, call: Call) -> None:
        if self._stop.is_set():
            raise Stopped(f"{call}: stopped before it was made.")
        bucket = self._buckets.of(call.pace)
        seconds = bucket.take(self._clock.monotonic()) if bucket else 0.0
        if seconds > 0:
            if seconds >= WORTH_A_LOG_LINE:
                self._tell("panel_pace", call, wait=round(seconds, 3))
            self._wait(call, seconds)

    def _pause(self, call: Call, trouble: Trouble, attempt: int) -> None:
        """Wait before the next try: never less than asked, spread so that many do not meet."""
        seconds = (trouble.asked or 0.0) + back_off(attempt, self._jitter())
        self.retries += 1
        self._tell(
            "panel_retry",
            call,
            code=trouble.error.code,
            status=trouble.status,
            attempt=attempt + 1,
            wait=round(seconds, 3),
        )
        self._wait(call, seconds)

    def _wait(self, call: Call, seconds: float) -> None:
        if self._clock.wait(seconds, self._stop):
            raise Stopped(f"{call}: stopped while waiting to make it.")

    def _fetcher(self, authorise: Authorise) -> Callable[[Token | None], Token]:
        def fetch(old: Token | None) -> Token:
            self._authorising = True
            try:
                return authorise(self, old)
            finally:
                self._authorising = False

        return fetch

    def _note_date(self, headers: Mapping[str, str]) -> None:
        date = headers.get("Date", "")
        if date == self._date:
            return  # a second has many answers; the first of them is the nearest to its stamp
        self._date = date
        moment = http_date(date)
        if moment is not None:
            self._skew = (moment - self._clock.now()).total_seconds()

    def _clean(self, call: Call, error: PanelError) -> PanelError:
        """The error with every secret that this call knew masked, should any have got in."""
        secrets = [*call.secrets, *self._bearer.secrets]
        error.args = tuple(scrubbed(str(text), secrets) for text in error.args)
        return error

    def _tell(self, event: str, call: Call, **fields: Any) -> None:
        if self._log is not None:
            secrets = [*call.secrets, *self._bearer.secrets]
            path = scrubbed(shown(call.url), secrets)
            self._log(event, account=self.account, method=call.method, path=path, **fields)


def _session(leash: Leash) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = LeashedAdapter(leash)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session
