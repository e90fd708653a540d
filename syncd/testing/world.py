"""The truth of a pretend marketplace, shared by every simulator.

A :class:`World` holds sellers, orders, parcels and returns, piece by piece, and one history of
all that happened. People at the panel act through its verbs (``place_order``, ``pick_up``,
``cancel`` ...); a simulator only renders what is true here in its panel's wire format; a test
compares a book with :meth:`World.truth`. Nothing in this module belongs to one marketplace.

Every verb takes the world's lock, stamps what it does with the clock (or with ``at``), and
raises :class:`WorldError` where no marketplace would allow it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol

import msgspec
from msgspec import Struct

from syncd.clock import Clock, to_micros
from syncd.statuses import ReturnType
from syncd.testing.things import (
    AT_BUYER,
    AT_SELLER,
    ENDED,
    ON_THE_WAY,
    UNDER_WAY,
    WITHDRAWN,
    By,
    Cancellation,
    Event,
    Ids,
    Line,
    LineSpec,
    Order,
    Parcel,
    Piece,
    Return,
    ReturnState,
    Ships,
    State,
    TimeIndex,
    WorldError,
)

LineKey = tuple[str, str]  # order id, line id

VERBS: Final = (
    "place_order",
    "hold",
    "unhold",
    "set_slot",
    "pack",
    "start_packing",
    "fail_packing",
    "ready",
    "pick_up",
    "ship",
    "deliver",
    "complete",
    "cancel",
    "cancel_in_transit",
    "courier_return",
    "customer_return",
    "return_event",
    "lost",
)
"""The verbs that a control surface may call by name."""


class _Where(Struct, frozen=True):
    """Which pieces a verb is about."""

    order_id: str
    line_id: str
    shipment_id: str
    quantity: int | None


class _Chosen(Struct):
    """The pieces of one line in one parcel that a verb moves."""

    order: Order
    line_id: str
    parcel: Parcel
    pieces: list[Piece]


class Forward(Protocol):
    """A verb that moves pieces towards the buyer.

    It moves ``quantity`` pieces (every fitting one when None) of a line (of every line when
    empty), in one parcel or in all, and returns how many it moved.
    """

    def __call__(
        self,
        order_id: str,
        line_id: str = "",
        *,
        shipment_id: str = "",
        quantity: int | None = None,
        at: datetime | None = None,
    ) -> int: ...


def _forward(fits: Set[State], target: State, word: str, text: str) -> Any:
    """The verb from the states that fit to the target; ``word`` stands in the history."""

    def verb(
        self: World,
        order_id: str,
        line_id: str = "",
        *,
        shipment_id: str = "",
        quantity: int | None = None,
        at: datetime | None = None,
    ) -> int:
        where = _Where(order_id, line_id, shipment_id, quantity)
        with self.lock:
            chosen = self._choose(where, fits, word)
            return self._move(chosen, target, word, at or self.clock.now())

    verb.__doc__ = text
    return verb


class World:
    """Sellers, orders, parcels, returns and their history. See the module's text.

    It begins with one seller at one location; ``add_seller`` and ``add_location`` give more.
    ``version`` grows with every change. Hold ``lock`` while reading several things at once.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        ids: Ids | None = None,
        seller_id: str = "seller-1",
        location_id: str = "location-1",
    ) -> None:
        self.clock = clock
        self.ids = ids or Ids()
        self.lock = threading.RLock()
        self.version = 0
        self.sellers: dict[str, list[str]] = {seller_id: [location_id]}
        self.orders: dict[str, Order] = {}
        self.lines: dict[str, Line] = {}
        self.parcels: dict[str, Parcel] = {}
        self.returns: dict[str, Return] = {}
        self.history: list[Event] = []
        self.parcels_by_time = TimeIndex()
        self.returns_by_time = TimeIndex()

    # Places ---------------------------------------------------------------------------------

    def add_seller(self, seller_id: str, locations: Sequence[str]) -> None:
        """Open one more seller account with its locations."""
        with self.lock:
            if seller_id in self.sellers:
                raise WorldError(f"seller {seller_id!r} exists already")
            self.sellers[seller_id] = list(locations)

    def add_location(self, location_id: str, *, seller_id: str = "") -> None:
        """Give a seller one more location; without ``seller_id`` the first seller."""
        with self.lock:
            self.sellers[seller_id or self._first_seller()].append(location_id)

    # Orders ---------------------------------------------------------------------------------

    def place_order(
        self,
        lines: Sequence[LineSpec | tuple[str, int] | Mapping[str, object]],
        *,
        order_id: str = "",
        seller_id: str = "",
        location_id: str = "",
        ships_by: Ships = "channel",
        traits: Mapping[str, str] | None = None,
        split: Sequence[Sequence[tuple[int, int]]] | None = None,
        at: datetime | None = None,
    ) -> Order:
        """A buyer orders. A line is a LineSpec, a pair (sku, quantity) or a mapping.

        ``split`` says which pieces go into which parcel: per parcel pairs of line number and
        quantity, which must add up to the order. Without it everything is one parcel.
        """
        specs = [_line_spec(line) for line in lines]
        with self.lock:
            now = at or self.clock.now()
            seller_id = seller_id or self._first_seller()
            order = self._new_order(specs, order_id, seller_id, location_id, now)
            plan = split or [[(i, spec.quantity) for i, spec in enumerate(specs)]]
            _check_split(specs, plan)
            for share in plan:
                self._new_parcel(order, share, ships_by, dict(traits or {}), now)
            self._accept(order)
            return order

    def _new_order(
        self, specs: list[LineSpec], order_id: str, seller_id: str, location_id: str, now: datetime
    ) -> Order:
        if seller_id not in self.sellers:
            raise WorldError(f"no seller {seller_id!r}; there are {sorted(self.sellers)}")
        location_id = location_id or self.sellers[seller_id][0]
        if location_id not in self.sellers[seller_id]:
            raise WorldError(f"seller {seller_id!r} has no location {location_id!r}")
        order_id = order_id or self.ids.order_id(len(self.orders) + 1)
        if order_id in self.orders:
            raise WorldError(f"order {order_id} exists already")
        first = len(self.lines) + 1
        lines = [self._new_line(order_id, spec, first + i) for i, spec in enumerate(specs)]
        known = [line.line_id for line in lines if line.line_id in self.lines]
        if known or len({line.line_id for line in lines}) < len(lines):
            raise WorldError(f"order {order_id}: line ids must be new and differ: {known}")
        return Order(order_id, seller_id, location_id, now, lines, [], [])

    def _new_line(self, order_id: str, spec: LineSpec, n: int) -> Line:
        return Line(
            line_id=spec.line_id or self.ids.line_id(n),
            order_id=order_id,
            sku=spec.sku,
            title=spec.title or f"Article {spec.sku}",
            price=spec.price,
            replaces_line_id=spec.replaces_line_id,
            traits=dict(spec.traits),
            pieces=[],
        )

    def _new_parcel(
        self,
        order: Order,
        share: Sequence[tuple[int, int]],
        ships_by: Ships,
        traits: dict[str, str],
        now: datetime,
    ) -> None:
        n = len(self.parcels) + 1
        parcel = Parcel(
            shipment_id=self.ids.shipment_id(n),
            order_id=order.order_id,
            seller_id=order.seller_id,
            location_id=order.location_id,
            ships_by=ships_by,
            traits=traits,
            contents={},
            created_at=now,
            modified_at=now,
            ship_after=now + timedelta(hours=2),
            ship_by=now + timedelta(days=2),
            tracking_number=self.ids.tracking_number(n),
            courier="Example Express",
        )
        for number, quantity in share:
            line = order.lines[number]
            for _ in range(quantity):
                piece = Piece(len(line.pieces) + 1, parcel.shipment_id, now)
                line.pieces.append(piece)
                parcel.contents.setdefault(line.line_id, []).append(piece)
        order.shipment_ids.append(parcel.shipment_id)
        self.parcels[parcel.shipment_id] = parcel

    def _accept(self, order: Order) -> None:
        self.orders[order.order_id] = order
        for line in order.lines:
            self.lines[line.line_id] = line
        for shipment_id in order.shipment_ids:
            parcel = self.parcels[shipment_id]
            self._touch(parcel, order.placed_at)
            for line_id, pieces in parcel.contents.items():
                self._note(order.placed_at, "placed", parcel, line_id, pieces, by="buyer")

    def hold(self, order_id: str, *, shipment_id: str = "", at: datetime | None = None) -> int:
        """Stop the order's parcels for now; returns how many were stopped."""
        return self._set_hold(order_id, shipment_id, True, at)

    def unhold(self, order_id: str, *, shipment_id: str = "", at: datetime | None = None) -> int:
        """Let the order's parcels go on; returns how many were released."""
        return self._set_hold(order_id, shipment_id, False, at)

    def set_slot(
        self,
        order_id: str,
        ship_after: datetime,
        ship_by: datetime,
        *,
        shipment_id: str = "",
        at: datetime | None = None,
    ) -> int:
        """Move the time in which the order's parcels are to leave."""
        with self.lock:
            parcels = self._parcels_of(self.order(order_id), shipment_id)
            for parcel in parcels:
                parcel.ship_after, parcel.ship_by = ship_after, ship_by
                self._touch(parcel, at or self.clock.now())
            return len(parcels)

    # The way to the buyer ---------------------------------------------------------------------
    start_packing: Forward = _forward(
        {State.PLACED}, State.PACKING, "packing", "The seller asks for labels; packing has begun."
    )
    fail_packing: Forward = _forward(
        {State.PLACED, State.PACKING}, State.PACK_FAILED, "pack_failed",
        "A form or label could not be made.",
    )  # fmt: skip
    pack: Forward = _forward(
        {State.PLACED, State.PACKING, State.PACK_FAILED}, State.PACKED, "packed",
        "The seller has packed.",
    )  # fmt: skip
    ready: Forward = _forward(
        AT_SELLER - {State.READY}, State.READY, "ready",
        "The seller says that the parcel waits for the courier.",
    )  # fmt: skip
    pick_up: Forward = _forward(
        AT_SELLER, State.PICKED_UP, "picked_up", "The courier takes the pieces from the seller."
    )
    ship: Forward = _forward(
        AT_SELLER | {State.PICKED_UP}, State.SHIPPED, "shipped",
        "The pieces leave for the buyer's town; a pick-up before it is implied.",
    )  # fmt: skip
    deliver: Forward = _forward(
        ON_THE_WAY, State.DELIVERED, "delivered", "The pieces reach the buyer."
    )
    complete: Forward = _forward(
        {State.DELIVERED}, State.COMPLETED, "completed",
        "A delivery by the seller is closed: everything promised with it is done.",
    )  # fmt: skip
    lost: Forward = _forward(ON_THE_WAY, State.LOST, "lost", "The courier has lost the pieces.")

    # Cancellations and returns ----------------------------------------------------------------

    def cancel(
        self,
        order_id: str,
        line_id: str = "",
        *,
        shipment_id: str = "",
        quantity: int | None = None,
        by: By = "buyer",
        reason: str = "order_cancelled",
        sub_reason: str = "",
        at: datetime | None = None,
    ) -> int:
        """Somebody cancels pieces that are still at the seller; returns how many."""
        where = _Where(order_id, line_id, shipment_id, quantity)
        with self.lock:
            now = at or self.clock.now()
            chosen = self._choose(where, AT_SELLER, "cancel", held_too=True)
            self._cancel(chosen, Cancellation(by, reason, sub_reason, now))
            return self._move(chosen, State.CANCELLED, "cancelled", now, by=by)

    def cancel_in_transit(
        self,
        order_id: str,
        line_id: str = "",
        *,
        shipment_id: str = "",
        quantity: int | None = None,
        by: By = "buyer",
        reason: str = "order_cancelled",
        sub_reason: str = "",
        at: datetime | None = None,
    ) -> list[Return]:
        """Somebody cancels pieces that are on the way: the courier brings them back (RTO)."""
        where = _Where(order_id, line_id, shipment_id, quantity)
        with self.lock:
            now = at or self.clock.now()
            chosen = self._choose(where, ON_THE_WAY, "cancel_in_transit")
            self._cancel(chosen, Cancellation(by, reason, sub_reason, now, in_transit=True))
            for one in chosen:
                self._touch(one.parcel, now)
                self._note(now, "cancelled_in_transit", one.parcel, one.line_id, one.pieces, by)
            return self._new_returns(chosen, ReturnType.RTO, reason, sub_reason, now)

    def courier_return(
        self,
        order_id: str,
        line_id: str = "",
        *,
        shipment_id: str = "",
        quantity: int | None = None,
        reason: str = "undelivered",
        sub_reason: str = "",
        at: datetime | None = None,
    ) -> list[Return]:
        """The courier could not deliver and brings the pieces back (RTO)."""
        where = _Where(order_id, line_id, shipment_id, quantity)
        with self.lock:
            now = at or self.clock.now()
            chosen = self._choose(where, ON_THE_WAY, "courier_return")
            return self._new_returns(chosen, ReturnType.RTO, reason, sub_reason, now)

    def customer_return(
        self,
        order_id: str,
        line_id: str = "",
        *,
        shipment_id: str = "",
        quantity: int | None = None,
        reason: str = "not_as_expected",
        sub_reason: str = "",
        at: datetime | None = None,
    ) -> list[Return]:
        """The buyer sends delivered pieces back (CIR); one return for each line and parcel."""
        where = _Where(order_id, line_id, shipment_id, quantity)
        with self.lock:
            now = at or self.clock.now()
            chosen = self._choose(where, AT_BUYER, "customer_return")
            return self._new_returns(chosen, ReturnType.CIR, reason, sub_reason, now)

    def return_event(
        self, return_id: str, event: ReturnState | str, *, at: datetime | None = None
    ) -> Return:
        """Move a return on: a ReturnState or its word in any case. An ended one stays ended."""
        with self.lock:
            back = self.returns.get(return_id)
            if back is None:
                raise WorldError(f"no return {return_id!r}")
            state = _return_state(event)
            if back.state in ENDED:
                raise WorldError(f"return {return_id} has ended as {back.state}")
            now = at or self.clock.now()
            back.state = state
            if state is ReturnState.CREATED and back.approved_at is None:
                back.approved_at = now
            self._touch_return(back, now)
            parcel = self.parcels[back.shipment_id]
            word = f"return_{state.lower()}"
            self._note(now, word, parcel, back.line_id, back.pieces, return_id=return_id)
            if state in WITHDRAWN:
                self._withdraw(back, parcel, now)
            return back

    def _withdraw(self, back: Return, parcel: Parcel, now: datetime) -> None:
        # A courier's return that never comes back has reached the buyer when the seller ships
        # by himself; otherwise the parcel is simply on its way again.
        if back.kind is not ReturnType.RTO:
            return
        for piece in back.pieces:
            piece.cancellation = None
            if parcel.ships_by == "seller":
                piece.state, piece.changed_at = State.DELIVERED, now
        self._touch(parcel, now)

    def _new_returns(
        self, chosen: list[_Chosen], kind: ReturnType, reason: str, sub_reason: str, now: datetime
    ) -> list[Return]:
        made = []
        for one in chosen:
            n = len(self.returns) + 1
            back = Return(
                return_id=self.ids.return_id(n),
                kind=kind,
                order_id=one.order.order_id,
                line_id=one.line_id,
                seller_id=one.parcel.seller_id,
                location_id=one.parcel.location_id,
                shipment_id=one.parcel.shipment_id,
                back_shipment_id=self.ids.shipment_id(-n),
                tracking_number=self.ids.back_tracking_number(n),
                courier=one.parcel.courier,
                pieces=one.pieces,
                state=ReturnState.CREATED,
                created_at=now,
                approved_at=now,
                modified_at=now,
                expected_at=now + timedelta(days=9),
                reason=reason,
                sub_reason=sub_reason,
                traits=dict(one.parcel.traits),
            )
            self._accept_return(back, one)
            made.append(back)
        return made

    def _accept_return(self, back: Return, one: _Chosen) -> None:
        for piece in back.pieces:
            piece.return_id = back.return_id
        self.returns[back.return_id] = back
        one.order.return_ids.append(back.return_id)
        self._touch_return(back, back.created_at)
        self._note(
            back.created_at,
            f"return_created_{back.kind.lower()}",
            one.parcel,
            back.line_id,
            back.pieces,
            return_id=back.return_id,
        )

    # What is true -----------------------------------------------------------------------------

    def order(self, order_id: str) -> Order:
        """The order of that id; WorldError when there is none."""
        order = self.orders.get(order_id)
        if order is None:
            raise WorldError(f"no order {order_id!r}")
        return order

    def word(self, piece: Piece) -> str:
        """The final word of a piece: a status, with the return's type where there is one."""
        back = self.returns.get(piece.return_id)
        if back is not None and back.state is ReturnState.COMPLETED:
            return f"RETURNED_{back.kind}"
        if back is not None and back.state in UNDER_WAY:
            return f"RETURN_NOTICED_{back.kind}"
        if piece.state in AT_BUYER:
            return "DELIVERED"
        if piece.state in ON_THE_WAY:
            return "DISPATCHED"
        if piece.state in AT_SELLER:
            return "OPEN"
        return piece.state.value  # CANCELLED, LOST

    def shown(self, piece: Piece) -> str:
        """As :meth:`word`, for a panel that shows a withdrawn return until something newer
        happens: in the form of ``syncd.meanings``, such as "RETURN_WITHDRAWN RTO"."""
        back = self.returns.get(piece.return_id)
        word = self.word(piece)
        if back is None:
            return word
        if back.state in WITHDRAWN and piece.changed_at <= back.modified_at:
            return f"RETURN_WITHDRAWN {back.kind}"
        return word.replace(f"_{back.kind}", f" {back.kind}")

    def truth(
        self, *, seller_id: str = "", ships_by: Ships | Literal[""] = ""
    ) -> dict[LineKey, Counter[str]]:
        """What a true book must say: per order and line, how many pieces stand where.

        The words: OPEN, DISPATCHED, DELIVERED, CANCELLED, LOST, RETURN_NOTICED_RTO,
        RETURN_NOTICED_CIR, RETURNED_RTO, RETURNED_CIR.
        """
        truth: dict[LineKey, Counter[str]] = {}
        with self.lock:
            for order in self.orders.values():
                if seller_id and order.seller_id != seller_id:
                    continue
                if ships_by and self._parcels_of(order, "")[0].ships_by != ships_by:
                    continue
                for line in order.lines:
                    words = Counter(self.word(piece) for piece in line.pieces)
                    truth[order.order_id, line.line_id] = words
        return truth

    def coming_back(self, piece: Piece) -> bool:
        """Whether a return of this piece stands (not withdrawn)."""
        back = self.returns.get(piece.return_id)
        return back is not None and back.state not in WITHDRAWN

    # The parts of the verbs ---------------------------------------------------------------------

    def _first_seller(self) -> str:
        return next(iter(self.sellers))

    def _parcels_of(self, order: Order, shipment_id: str) -> list[Parcel]:
        wanted = [shipment_id] if shipment_id else order.shipment_ids
        if shipment_id and shipment_id not in order.shipment_ids:
            raise WorldError(f"order {order.order_id} has no shipment {shipment_id!r}")
        return [self.parcels[one] for one in wanted]

    def _choose(
        self, where: _Where, fits: Iterable[State], verb: str, *, held_too: bool = False
    ) -> list[_Chosen]:
        """The first ``quantity`` pieces that fit, grouped by parcel and line; never none."""
        order = self.order(where.order_id)
        if where.line_id:
            order.line(where.line_id)
        states = frozenset(fits)
        left = where.quantity
        chosen: list[_Chosen] = []
        for parcel in self._parcels_of(order, where.shipment_id):
            open_states = states - AT_SELLER if parcel.hold and not held_too else states
            for line_id, pieces in parcel.contents.items():
                if where.line_id not in ("", line_id):
                    continue
                fitting = [piece for piece in pieces if self._fits(piece, open_states)][:left]
                if fitting:
                    chosen.append(_Chosen(order, line_id, parcel, fitting))
                    left = None if left is None else left - len(fitting)
        if not chosen or left:
            raise WorldError(_nothing_fits(order, where, verb, chosen))
        return chosen

    def _fits(self, piece: Piece, states: frozenset[State]) -> bool:
        return piece.state in states and not (piece.return_id and self.coming_back(piece))

    def _move(
        self, chosen: list[_Chosen], target: State, word: str, now: datetime, *, by: str = ""
    ) -> int:
        for one in chosen:
            for piece in one.pieces:
                piece.state, piece.changed_at = target, now
            self._touch(one.parcel, now)
            self._note(now, word, one.parcel, one.line_id, one.pieces, by)
        return sum(len(one.pieces) for one in chosen)

    def _cancel(self, chosen: list[_Chosen], cancellation: Cancellation) -> None:
        for one in chosen:
            for piece in one.pieces:
                piece.cancellation = cancellation

    def _set_hold(self, order_id: str, shipment_id: str, hold: bool, at: datetime | None) -> int:
        with self.lock:
            now = at or self.clock.now()
            parcels = self._parcels_of(self.order(order_id), shipment_id)
            for parcel in parcels:
                parcel.hold = hold
                self._touch(parcel, now)
                for line_id, pieces in parcel.contents.items():
                    self._note(now, "held" if hold else "released", parcel, line_id, pieces)
            return len(parcels)

    def _touch(self, parcel: Parcel, now: datetime) -> None:
        parcel.modified_at = max(parcel.modified_at, now)
        parcel.revision += 1
        self.version += 1
        self.parcels_by_time.touch(parcel.shipment_id, to_micros(parcel.modified_at))

    def _touch_return(self, back: Return, now: datetime) -> None:
        back.modified_at = max(back.modified_at, now)
        back.revision += 1
        self.version += 1
        self.returns_by_time.touch(back.return_id, to_micros(back.modified_at))

    def _note(
        self,
        at: datetime,
        word: str,
        parcel: Parcel,
        line_id: str,
        pieces: Sequence[Piece],
        by: str = "",
        return_id: str = "",
    ) -> None:
        numbers = tuple(piece.number for piece in pieces)
        self.history.append(
            Event(at, word, parcel.order_id, line_id, parcel.shipment_id, numbers, by, return_id)
        )


def _line_spec(line: LineSpec | tuple[str, int] | Mapping[str, object]) -> LineSpec:
    if isinstance(line, tuple):
        line = LineSpec(sku=line[0], quantity=line[1])
    elif not isinstance(line, LineSpec):
        line = msgspec.convert(line, LineSpec)
    if line.quantity < 1:
        raise WorldError(f"a line needs at least one piece, got {line.quantity} of {line.sku}")
    return line


def _check_split(specs: list[LineSpec], plan: Sequence[Sequence[tuple[int, int]]]) -> None:
    total: Counter[int] = Counter()
    for share in plan:
        for number, quantity in share:
            total[number] += quantity
    if total != Counter({i: spec.quantity for i, spec in enumerate(specs)}):
        raise WorldError(f"the split {plan} does not add up to the order's lines")


def _nothing_fits(order: Order, where: _Where, verb: str, chosen: list[_Chosen]) -> str:
    here = Counter(piece.state.value for line in order.lines for piece in line.pieces)
    return (
        f"{verb}: order {order.order_id} line {where.line_id or '(any)'} has "
        f"{sum(len(one.pieces) for one in chosen)} fitting pieces, asked were "
        f"{where.quantity or 'some'}; its pieces are {dict(here)}, held parcels and pieces that "
        "come back do not move"
    )


def _return_state(event: ReturnState | str) -> ReturnState:
    word = str(event).upper().removeprefix("RETURN_")
    if word not in ReturnState.__members__:
        raise WorldError(f"no return state {event!r}; there are {', '.join(ReturnState)}")
    return ReturnState(word)


def populate(
    world: World,
    count: int,
    *,
    dispatched: bool = False,
    span: timedelta = timedelta(hours=1),
    skus: int = 100,
    line: Callable[[int], Sequence[tuple[str, int]]] | None = None,
) -> list[Order]:
    """Place many orders, one piece of one line each, and let the courier take them.

    The last stamps lie evenly in the ``span`` that ends five minutes before now; the orders
    were placed one ``span`` earlier. ``line`` may give the n-th order other lines.
    """
    end = world.clock.now() - timedelta(minutes=5)
    step = span / max(1, count)
    orders = []
    for n in range(count):
        at = end - span + step * n
        lines = line(n) if line else [(f"SKU-{n % skus:04d}", 1)]
        order = world.place_order(lines, at=at - span)
        if dispatched:
            world.pick_up(order.order_id, at=at)
        orders.append(order)
    return orders
