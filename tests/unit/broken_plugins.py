"""Plugins for the toy shop, each wrong in one way: its name says what its author did."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from msgspec import Raw, structs

from syncd import Account, Channel, Cost, OrderLine, OrderRef, Page, Panel, Settings, Status, Window
from syncd.errors import PanelBusy, PanelError, PanelRefused
from syncd.hookspecs import ReportFile, hookimpl
from syncd.shapes import BadRow, decode
from syncd.statuses import StatusChange
from tests.toyshop import FORM, Answer, Row, ToyPlugin, ToySettings, ToySimulator


class Throws(ToyPlugin):
    def describe(self, **more: Any) -> Channel:
        return super().describe(title=f"Toy {random.random()}")


class OnMars(ToyPlugin):
    def describe(self, **more: Any) -> Channel:
        return super().describe(time_zone="Mars/Olympus")


class WrongOverlap(ToyPlugin):
    def describe(self, **more: Any) -> Channel:
        return super().describe(overlap=timedelta(days=2))


def _costs(_settings: object) -> dict[str, Cost]:
    return {"orders": Cost(pace="express", rows=10)}


class CountsNothingKnown(ToyPlugin):
    def describe(self, **more: Any) -> Channel:
        return super().describe(costs=_costs)


class OpenSettings(ToySettings):
    model_config = ToySettings.model_config | {"extra": "ignore"}


class TakesAnyKey(ToyPlugin):
    settings: type[Settings] = OpenSettings


class PlainSettings(ToySettings):
    api_token: str = ""


class PlainSecret(ToyPlugin):
    settings: type[Settings] = PlainSettings


class PlainSimulator(ToySimulator):
    def settings(self, seller_id: str = "") -> Any:
        return {**super().settings(seller_id), "api_token": "in clear"}


class MoreSettings(ToySettings):
    region: str


class WantsMore(ToyPlugin):
    settings: type[Settings] = MoreSettings


class AsksToKnow(ToyPlugin):
    def ships(self, order: OrderRef) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=0.01).close()
        return super().ships(order)


class ShipsAll(ToyPlugin):
    def ships(self, order: OrderRef) -> bool:
        return True


class MakesUp(ToyPlugin):
    """Takes an empty answer for an order that nobody has told of yet."""

    def changes(
        self, account: Account, window: Window, orders: Sequence[OrderRef], *more: Any
    ) -> Iterator[Page[Any]]:
        told = False
        for page in super().changes(account, window, orders, *more):
            told = told or bool(page.rows)
            yield page
        row = self.made_up(window, orders)
        if row is not None and not told and more[-1] == "LEFT":
            yield Page(rows=self.change(row, window))

    def made_up(self, window: Window, orders: Sequence[OrderRef]) -> Row | None:
        at = window.start.strftime(FORM)
        return None if orders else Row("O", "L", "S", "P", "LEFT", 1, at, "channel")


class TakesItForAWish(ToyPlugin):
    """What was cancelled is only asked for, to it."""

    def status(self, word: str) -> Status:
        return Status.CANCEL_REQUESTED if word == "CANCELLED" else super().status(word)


class YieldsLists(ToyPlugin):
    def page(self, told: list[Any], window: Window) -> Any:
        class Loose(list):  # type: ignore[type-arg]
            rows = told
            complete_until = None

        return Loose(told)


class NoWord(ToyPlugin):
    """A second line of an order has no word of its own to it."""

    def told(self, *arguments: Any) -> list[StatusChange]:
        told, seen = super().told(*arguments), set()
        for n, one in enumerate(told):
            if one.order_id in seen and not one.problem:
                told[n] = structs.replace(one, native_status="")
            seen.add(one.order_id)
        return told


class WrongKind(ToyPlugin):
    """Takes what left for what arrived, too."""

    def change(self, row: Row, window: Window) -> list[Any]:
        told = super().change(row, window)
        if row.word == "LEFT":
            there = {"status": Status.DELIVERED, "evidence_id": f"{told[0].evidence_id}/there"}
            told.append(structs.replace(told[0], **there))
        return told


class ThinksUtc(ToyPlugin):
    def moment(self, text: str) -> datetime:
        return datetime.strptime(text, FORM).replace(tzinfo=UTC)


class NewEachTime(ToyPlugin):
    """Puts the half minute of reading into its evidence."""

    def changes(
        self, account: Account, window: Window, orders: Any, panel: Panel, word: str
    ) -> Iterator[Page[Any]]:
        for page in super().changes(account, window, orders, panel, word):
            half = panel._clock.now().second // 30
            rows = [structs.replace(x, evidence_id=f"{x.evidence_id}/{half}") for x in page.rows]
            yield Page(rows=rows)


class OneForAll(ToyPlugin):
    def evidence(self, row: Row, window: Window) -> str:
        return f"{row.order}/{row.word}/{row.back}/{row.total}"


class MovingEvidence(ToyPlugin):
    def change(self, row: Row, window: Window) -> list[Any]:
        return [
            structs.replace(one, evidence_id=f"{one.evidence_id}/{self.scans(row)}")
            for one in super().change(row, window)
        ]

    def told(self, answer: Answer, shape: Any, word: str, window: Window) -> list[Any]:
        class Scanned(shape):  # type: ignore[misc]
            scans: int = 0

        return super().told(answer, Scanned, word, window)

    def scans(self, row: Row) -> int:
        return int(getattr(row, "scans", 0))


class NumericIds(ToyPlugin):
    def id(self, text: str) -> str:
        return str(int(text)) if text.isdecimal() else text


class ShortWindows(ToyPlugin):
    def question(self, window: Window, orders: Sequence[OrderRef]) -> dict[str, str]:
        later = Window(window.start + timedelta(seconds=1), window.end)
        return super().question(later, orders)


class CutsTheEnd(ToyPlugin):
    def question(self, window: Window, orders: Sequence[OrderRef]) -> dict[str, str]:
        whole = Window(window.start, window.end.replace(microsecond=0))
        return super().question(whole, orders)


class WindowInEvidence(ToyPlugin):
    def evidence(self, row: Row, window: Window) -> str:
        return f"{super().evidence(row, window)}/{window.end - window.start}"


class AllOrders(ToyPlugin):
    def question(self, window: Window, orders: Sequence[OrderRef]) -> dict[str, str]:
        return super().question(window, ())


class SureOfIt(MakesUp):
    """Takes an empty answer about an order for its dispatch."""

    def made_up(self, window: Window, orders: Sequence[OrderRef]) -> Row | None:
        at = "2026-11-20 10:00:00"
        return Row(orders[0].order_id, "L", "S", "P", "LEFT", 1, at, "") if orders else None


class NoReads(ToyPlugin):
    def first(self, account: Account, panel: Panel, path: str, asked: dict[str, str]) -> Answer:
        if path != "/orders":
            return super().first(account, panel, path, asked)
        authorise = self.authorise(account)
        return panel.post(path, shape=Answer, params=asked, authorise=authorise)


class KnowsItsToken(ToyPlugin):
    def __init__(self) -> None:
        self.tokens: dict[tuple[str, str], str] = {}

    def name(self, account: Account) -> tuple[str, str]:
        return account.settings.base_url, account.settings.seller

    def authorise(self, account: Account) -> Any:
        ask = super().authorise(account)

        def authorise(panel: Panel, old: Any) -> Any:
            token = ask(panel, old)
            self.tokens[self.name(account)] = token.access_token
            return token

        return authorise


class OwnClient(KnowsItsToken):
    """Asks by itself first, as quickly again as it can."""

    def first(self, account: Account, panel: Panel, path: str, asked: dict[str, str]) -> Answer:
        name = self.name(account)
        for _ in range(3 if name in self.tokens else 0):
            with contextlib.suppress(requests.RequestException, PanelError):
                answer = requests.request(
                    "POST" if path == "/orders" else "GET",
                    name[0] + path,
                    params=asked,
                    headers={"Authorization": f"Bearer {self.tokens[name]}"},
                    timeout=2,
                )
                if answer.status_code == 200:
                    return decode(answer.content, Answer, where=path)
        return super().first(account, panel, path, asked)


class SwallowsTrouble(ToyPlugin):
    """A first page that it cannot have is an empty one to it."""

    def first(self, *arguments: Any) -> Answer:
        try:
            return super().first(*arguments)
        except PanelRefused:
            raise
        except PanelError:
            return Answer(more=False, rows=Raw(b"[]"))


class TakesNothing(ToyPlugin):
    """An answer without a body is the end of the list to it."""

    def pages(self, *arguments: Any) -> Iterator[Answer]:
        try:
            yield from super().pages(*arguments)
        except PanelError as error:
            if error.code != "panel_empty":
                raise


class Gathers(ToyPlugin):
    def pages(self, *arguments: Any) -> Iterator[Answer]:
        yield from list(super().pages(*arguments))


class FollowsAlone(KnowsItsToken):
    """Its next pages carry the first page's token, without the way to another."""

    def follow(self, account: Account, panel: Panel, link: str, path: str) -> Answer:
        token = self.tokens[self.name(account)]
        return panel.follow(link, shape=Answer, headers={"Authorization": f"Bearer {token}"})


class CallsItBusy(ToyPlugin):
    def pages(self, *arguments: Any) -> Iterator[Answer]:
        try:
            yield from super().pages(*arguments)
        except PanelRefused as error:
            raise PanelBusy(str(error)) from None


class EndsWhenEmpty(ToyPlugin):
    def next(self, links: Any, answer: Answer) -> str | None:
        return None if bytes(answer.rows) == b"[]" else super().next(links, answer)


class FollowsRings(ToyPlugin):
    def next(self, links: Any, answer: Answer) -> str | None:
        return answer.next if answer.more and answer.next else self.strict(links, answer)

    def strict(self, links: Any, answer: Answer) -> str | None:
        return links.next(answer.more, answer.next)  # type: ignore[no-any-return]


class FollowsAnybody(ToyPlugin):
    def follow(self, account: Account, panel: Panel, link: str, path: str) -> Answer:
        if link.startswith("http"):
            requests.get(link, timeout=2)
        return super().follow(account, panel, link, path)


class TakesNoLinkForTheEnd(ToyPlugin):
    def next(self, links: Any, answer: Answer) -> str | None:
        return super().next(links, answer) if answer.next else None


class TakesStrayLinks(ToyPlugin):
    def next(self, links: Any, answer: Answer) -> str | None:
        return super().next(links, answer) if answer.more else None


class PlaceInEvidence(ToyPlugin):
    """Goes on once where a page comes again, and counts what it has told already."""

    def __init__(self) -> None:
        self.forgiven: list[Any] = []

    def next(self, links: Any, answer: Answer) -> str | None:
        try:
            return super().next(links, answer)
        except PanelError:
            if not (answer.more and answer.next) or any(one is links for one in self.forgiven):
                raise
            self.forgiven.append(links)
            return answer.next

    def changes(self, *arguments: Any) -> Iterator[Page[Any]]:
        seen: set[str] = set()
        for page in super().changes(*arguments):
            names = {one.evidence_id for one in page.rows}
            again = f"/{len(seen)}" if names & seen else ""
            yield Page(
                rows=[structs.replace(x, evidence_id=x.evidence_id + again) for x in page.rows]
            )
            seen |= names


class RaisesForARow(ToyPlugin):
    """Of a row without a single field that it knows it makes an error of the pass."""

    def bad(self, row: Any, window: Window) -> list[Any]:
        if not _has_fields(row):
            raise PanelError(row.problem)
        return super().bad(row, window)


class DropsBadRows(ToyPlugin):
    """Passes over a row that lacks a field."""

    def bad(self, row: Any, window: Window) -> list[Any]:
        return [] if _has_fields(row) else super().bad(row, window)


def _has_fields(row: BadRow) -> bool:
    return any(f'"{name}"' in row.raw for name in ("order", "line"))


class KeepsTheBuyer(ToyPlugin):
    """Shows a row that it cannot read as it came."""

    def told(self, answer: Answer, *asked: Any) -> list[StatusChange]:
        came = bytes(answer.rows).decode()
        told = super().told(answer, *asked)
        return [structs.replace(one, raw=came) if one.problem else one for one in told]


class KeepsItsPlace(ToyPlugin):
    """Goes on where an earlier call of this account was left."""

    def __init__(self) -> None:
        self.left: dict[str, Answer] = {}

    def first(self, account: Account, panel: Panel, path: str, asked: dict[str, str]) -> Answer:
        kept = self.left.pop(f"{account.settings.seller}{path}{asked}", None)
        return kept or super().first(account, panel, path, asked)

    def pages(self, account: Account, panel: Panel, path: str, asked: Any) -> Iterator[Answer]:
        sized = {**asked, "size": str(account.settings.size)}
        name = f"{account.settings.seller}{path}{sized}"
        for answer in super().pages(account, panel, path, asked):
            self.left[name] = answer
            yield answer
        self.left.pop(name, None)


class SkipsWhatItSaw(ToyPlugin):
    """Its own watermark: a later window reads nothing that is older than the newest row it saw."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[datetime, datetime]] = {}

    def changes(
        self, account: Account, window: Window, orders: Sequence[OrderRef], *more: Any
    ) -> Iterator[Page[Any]]:
        name = f"{account.settings.seller}/{more[-1]}"
        end, newest = self.seen.get(name, (window.end, window.start))
        if end < window.end and window.start < newest and not orders:
            window = Window(newest, window.end)
        for page in super().changes(account, window, orders, *more):
            newest = max([newest, *(one.occurred_at for one in page.rows)])
            yield page
        if not orders:
            self.seen[name] = (window.end, newest)


class PromisesTooMuch(ToyPlugin):
    def page(self, told: list[Any], window: Window) -> Any:
        return Page(rows=told, complete_until=window.end)


class StrictAnswer(Answer, forbid_unknown_fields=True):
    pass


class StrictShape(ToyPlugin):
    def first(self, account: Account, panel: Panel, path: str, asked: dict[str, str]) -> Answer:
        authorise = self.authorise(account)
        if path == "/orders":
            return super().first(account, panel, path, asked)
        return panel.get(path, shape=StrictAnswer, params=asked, authorise=authorise)


class Numbers(ToyPlugin):
    """Names rows by their place on the page."""

    def told(self, answer: Answer, shape: Any, word: str, window: Window) -> list[Any]:
        told = super().told(answer, shape, word, window)
        seen: dict[str, Any] = {}
        for one in told:
            again = seen.get(one.evidence_id)
            if again is not None and one.quantity:
                total = again.quantity + one.quantity
                one = structs.replace(one, quantity=total, evidence_id=f"{one.evidence_id}/{total}")
            seen[one.evidence_id] = one
        return list(seen.values())


class Guesses(ToyPlugin):
    def told(self, answer: Answer, shape: Any, word: str, window: Window) -> list[Any]:
        return [
            structs.replace(one, status=Status.RETURN_NOTICED if not word else self.status(word))
            if one.native_status == "NOBODY_HAS_SEEN_THIS"
            else one
            for one in super().told(answer, shape, word, window)
        ]


class DropsNewWords(ToyPlugin):
    def told(self, answer: Answer, shape: Any, word: str, window: Window) -> list[Any]:
        told = super().told(answer, shape, word, window)
        return [one for one in told if one.status is not Status.UNKNOWN or not one.order_id]


class TellsSecrets(ToyPlugin):
    def pages(self, account: Account, *more: Any) -> Iterator[Answer]:
        try:
            yield from super().pages(account, *more)
        except PanelRefused as error:
            secret = account.settings.password.get_secret_value()
            raise PanelRefused(f"{error} The password was {secret}.") from None


class MixesSellers(ToyPlugin):
    def __init__(self) -> None:
        self.now: dict[str, Any] = {}

    def first(self, account: Account, panel: Panel, *more: Any) -> Answer:
        self.now["panel"] = panel
        return super().first(account, panel, *more)

    def follow(self, account: Account, panel: Panel, link: str, path: str) -> Answer:
        return super().follow(account, self.now["panel"], link, path)


class AddsTotals(ToyPlugin):
    def change(self, row: Row, window: Window) -> list[Any]:
        return [structs.replace(one, cumulative=False) for one in super().change(row, window)]


class ForgetsPieces(ToyPlugin):
    def order(self, row: Any, window: Window) -> Any:
        new = super().order(row, window)
        lines = [OrderLine(line_id=x.line_id, sku=x.sku, quantity=1) for x in new.lines]
        return structs.replace(new, lines=tuple(lines))


class ReadsAnything(ToyPlugin):
    @hookimpl
    def read_report(self, account: Account, report: ReportFile) -> Iterator[Page[Any]]:
        yield Page(rows=report.content.splitlines()[9:])


class StumblesOverFiles(ToyPlugin):
    @hookimpl
    def read_report(self, account: Account, report: ReportFile) -> Iterator[Page[Any]]:
        head = report.content.decode().splitlines()[0]
        yield Page(rows=[head][9:])


class NamesTheOrder(ToyPlugin):
    """Gives the order's id for that of its line."""

    def change(self, row: Row, window: Window) -> list[Any]:
        return [structs.replace(one, line_id=row.order) for one in super().change(row, window)]


class OneSku(ToyPlugin):
    """Puts one SKU into all rows, beside the right line."""

    def change(self, row: Row, window: Window) -> list[Any]:
        return [structs.replace(one, sku="SKU-1") for one in super().change(row, window)]


class OneParcel(ToyPlugin):
    """Takes a field that is the same in all rows for the parcel's id."""

    def change(self, row: Row, window: Window) -> list[Any]:
        return [structs.replace(one, shipment_id=row.ships) for one in super().change(row, window)]


class NewParcels(ToyPlugin):
    """Names a parcel anew with each word."""

    def change(self, row: Row, window: Window) -> list[Any]:
        name = f"{row.parcel}/{row.word}"
        return [structs.replace(one, shipment_id=name) for one in super().change(row, window)]


class NoReturnIds(ToyPlugin):
    """Does not read by which id the panel knows a return."""

    def change(self, row: Row, window: Window) -> list[Any]:
        return [structs.replace(one, return_id="") for one in super().change(row, window)]


class NamesTheSku(ToyPlugin):
    """Reads no line id, though each row and each order has it."""

    def change(self, row: Row, window: Window) -> list[Any]:
        return [structs.replace(one, line_id="") for one in super().change(row, window)]


class SkuForLine(NamesTheSku):
    """Takes the SKU for the line id in orders, and names rows by it alone."""

    def order(self, row: Any, window: Window) -> Any:
        new = super().order(row, window)
        lines = tuple(structs.replace(one, line_id=one.sku) for one in new.lines)
        return structs.replace(new, lines=lines)


class NamesTheParcel(ToyPlugin):
    """Tells the parcel alone."""

    def change(self, row: Row, window: Window) -> list[Any]:
        told = super().change(row, window)
        return [structs.replace(one, line_id="", sku="") for one in told]


class OtherPlace(ToyPlugin):
    """Takes who ships for the place that is shipped from."""

    def change(self, row: Row, window: Window) -> list[Any]:
        return [structs.replace(one, location_id=row.ships) for one in super().change(row, window)]


class OtherPlaceOfOrders(ToyPlugin):
    """The same in orders."""

    def order(self, row: Any, window: Window) -> Any:
        new = super().order(row, window)
        return structs.replace(new, location_id=new.facts.get("ships", ""))
