"""The conformance kit: a good plugin passes, and each broken one fails the rule that it breaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec import structs

from syncd import Channel, Status
from syncd.book.inbox import evidence_of
from syncd.hookspecs import ReadsBy
from syncd.statuses import Kind, StatusChange
from syncd.testing.conformance import CANNOT, Base, ChannelTests, Plugin
from syncd.testing.conformance.journal import evidence
from tests.toyshop import ToyPlugin, ToySimulator
from tests.unit.broken_plugins import (
    AddsTotals,
    AllOrders,
    AsksToKnow,
    CallsItBusy,
    CountsNothingKnown,
    CutsTheEnd,
    DropsBadRows,
    DropsNewWords,
    EndsWhenEmpty,
    FollowsAlone,
    FollowsAnybody,
    FollowsRings,
    ForgetsPieces,
    Gathers,
    Guesses,
    KeepsItsPlace,
    KeepsTheBuyer,
    MakesUp,
    MixesSellers,
    MovingEvidence,
    NamesTheOrder,
    NamesTheParcel,
    NamesTheSku,
    NewEachTime,
    NewParcels,
    NoReads,
    NoReturnIds,
    NoWord,
    Numbers,
    NumericIds,
    OneForAll,
    OneParcel,
    OneSku,
    OnMars,
    OtherPlace,
    OtherPlaceOfOrders,
    OwnClient,
    PlaceInEvidence,
    PlainSecret,
    PlainSimulator,
    PromisesTooMuch,
    RaisesForARow,
    ReadsAnything,
    ShipsAll,
    ShortWindows,
    SkipsWhatItSaw,
    SkuForLine,
    StrictShape,
    StumblesOverFiles,
    SureOfIt,
    SwallowsTrouble,
    TakesAnyKey,
    TakesItForAWish,
    TakesNoLinkForTheEnd,
    TakesNothing,
    TakesStrayLinks,
    TellsSecrets,
    ThinksUtc,
    Throws,
    WantsMore,
    WindowInEvidence,
    WrongKind,
    WrongOverlap,
    YieldsLists,
)

pytest_plugins = "pytester"


class Toy(ChannelTests):
    """Not collected by itself: its name is no test's."""

    channel = "toyshop"
    plugin = ToyPlugin()
    simulator = ToySimulator
    settings: ClassVar[dict[str, Any]] = {"size": 3}
    many = 7
    examples = 8
    shrink = False


def rules(suite: type[ChannelTests]) -> list[str]:
    """The names of the tests that a suite has."""
    return [one for one in dir(suite) if one.startswith("test_") and getattr(suite, one)]


class Quick(Toy):
    """The suite for one kind."""

    only: ClassVar[Kind] = Kind.DISPATCHED

    def kinds(self, plugin: Plugin) -> list[Kind]:
        return [kind for kind in super().kinds(plugin) if kind is self.only]


def broken_by(plugin: ToyPlugin, names: Sequence[str], **knobs: Any) -> dict[str, str]:
    """What a suite says of this plugin: the failing ones of these tests, and their messages."""
    suite = type("Broken", (Quick,), {"plugin": plugin, **knobs})
    said = {}
    for name in names:
        try:
            getattr(suite(), name)()
        except AssertionError as error:
            said[name] = str(error)
    return said


@pytest.mark.parametrize("rule", rules(Toy))
def test_the_good_plugin_keeps(rule: str) -> None:
    getattr(Toy(), rule)()


BROKEN: dict[type[ToyPlugin], str] = {
    Throws: "test_describe_channel_is_pure",
    OnMars: "test_describe_channel_is_complete",
    WrongOverlap: "test_describe_channel_is_complete",
    CountsNothingKnown: "test_costs_name_paces",
    PlainSecret: "test_secrets_are_declared",
    TakesAnyKey: "test_settings_refuse_unknown_keys",
    WantsMore: "test_settings_take_the_simulators",
    AsksToKnow: "test_provides_shipping_needs_no_network",
    ShipsAll: "test_provides_shipping_says_who_ships",
    ReadsAnything: "test_read_report_refuses_other_files",
    StumblesOverFiles: "test_read_report_refuses_other_files",
    MakesUp: "test_an_empty_panel_gives_nothing",
    TakesItForAWish: "test_what_happened_is_told",
    YieldsLists: "test_rows_are_well_formed",
    NoWord: "test_rows_are_well_formed",
    WrongKind: "test_statuses_are_of_the_kind",
    ThinksUtc: "test_times_are_the_panels",
    NewEachTime: "test_two_runs_are_one",
    OneForAll: "test_evidence_names_one_fact",
    MovingEvidence: "test_evidence_is_stable_while_rows_change",
    NumericIds: "test_ids_are_kept_byte_for_byte",
    ShortWindows: "test_windows_are_half_open",
    CutsTheEnd: "test_windows_end_between_two_stamps",
    WindowInEvidence: "test_windows_add_up",
    AllOrders: "test_by_ids_equals_by_window",
    SureOfIt: "test_by_ids_nothing_is_made_up",
    NoReads: "test_a_busy_moment_costs_nothing",
    OwnClient: "test_retry_after_is_obeyed",
    SwallowsTrouble: "test_a_wrong_answer_fails_the_pass",
    Gathers: "test_pages_before_the_trouble_are_kept",
    FollowsAlone: "test_a_token_that_dies_is_renewed",
    CallsItBusy: "test_refused_credentials_are_told",
    EndsWhenEmpty: "test_an_empty_page_with_more_is_no_end",
    FollowsRings: "test_a_ring_of_links_is_noticed",
    FollowsAnybody: "test_a_foreign_link_is_refused",
    TakesNoLinkForTheEnd: "test_a_missing_link_is_an_error",
    TakesStrayLinks: "test_a_stray_link_is_an_error",
    PlaceInEvidence: "test_a_repeated_page_ends",
    RaisesForARow: "test_a_broken_row_costs_one_row",
    DropsBadRows: "test_a_missing_field_costs_one_row",
    KeepsTheBuyer: "test_no_buyers_data_is_kept_of_a_broken_row",
    KeepsItsPlace: "test_a_restart_at_each_page",
    SkipsWhatItSaw: "test_rows_that_shift_are_found",
    PromisesTooMuch: "test_complete_until_is_true",
    StrictShape: "test_unexpected_fields_are_ignored",
    Numbers: "test_a_row_that_comes_twice_is_one",
    DropsNewWords: "test_an_unknown_word_is_unknown",
    Guesses: "test_an_unknown_word_is_unknown",
    TellsSecrets: "test_secrets_never_show",
    MixesSellers: "test_sellers_do_not_mix",
    AddsTotals: "test_what_is_told_is_what_happened",
    ForgetsPieces: "test_what_is_told_is_what_happened",
    NamesTheOrder: "test_a_row_names_its_line",
    NamesTheSku: "test_a_row_names_its_line",
    SkuForLine: "test_a_row_names_its_line",
    OtherPlace: "test_a_row_names_its_line",
    OtherPlaceOfOrders: "test_a_row_names_its_line",
    OneSku: "test_a_row_names_its_line",
    OneParcel: "test_a_parcel_has_one_name",
    NewParcels: "test_a_parcel_has_one_name",
    NoReturnIds: "test_a_return_has_its_name",
}

HISTORY = "test_what_is_told_is_what_happened"
SLOW = {HISTORY, "test_a_silent_panel_fails_the_pass", "test_a_wrong_answer_fails_the_pass"}
"""Tried only on the plugins that are to fail them."""

KNOBS: dict[type[ToyPlugin], dict[str, Any]] = {
    PlainSecret: {"simulator": PlainSimulator},
    NoReads: {"only": Kind.ORDERS},
    TakesItForAWish: {"only": Kind.CANCELLED},
    ForgetsPieces: {"only": Kind.ORDERS, "examples": 20},
    SkuForLine: {"only": Kind.ORDERS},
    OtherPlaceOfOrders: {"only": Kind.ORDERS},
    AddsTotals: {"examples": 200},
    NoReturnIds: {"only": Kind.RETURNS},
}

ANY = frozenset(rules(Toy))
ALSO: dict[type[ToyPlugin], frozenset[str]] = {
    # No account can be made with its settings, so nothing can be asked.
    WantsMore: ANY,
    # Other rules keep a journal too: facts that share evidence are told wherever they meet.
    OneForAll: frozenset({"test_a_row_that_comes_twice_is_one", "test_rows_that_shift_are_found"}),
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__)
def test_a_broken_plugin_fails_only_the_rule_it_breaks(broken: type[ToyPlugin]) -> None:
    rule = BROKEN[broken]
    names = [name for name in rules(Toy) if name == rule or name not in SLOW]
    if broken in ALSO and ALSO[broken] is ANY:
        names = [rule]

    said: dict[str, str] = {}
    for name in names:  # a new one each time, for some remember what they did
        said |= broken_by(broken(), [name], **KNOBS.get(broken, {}))

    assert rule in said
    assert set(said) <= {rule} | ALSO.get(broken, frozenset())
    for word in ("\nrule:  ", "\ncame:  ", "\ndo:    "):
        assert word in said[rule]


def test_each_rule_has_a_plugin_that_breaks_it() -> None:
    shown = {*BROKEN.values(), "test_a_silent_panel_fails_the_pass"}
    shown.add("test_pages_are_yielded_as_they_come")

    assert set(rules(Toy)) == shown


def test_who_gathers_pages_and_who_swallows_silence_are_found() -> None:
    flat, silent = "test_pages_are_yielded_as_they_come", "test_a_silent_panel_fails_the_pass"

    assert list(broken_by(Gathers(), [flat], many=20)) == [flat]
    assert list(broken_by(SwallowsTrouble(), [silent])) == [silent]


# The knobs ------------------------------------------------------------------------------------


def test_what_a_panel_cannot_do_is_not_asked_of_it() -> None:
    less = type("Less", (Toy,), {"cannot": frozenset({"ring", "json"})})

    gone = set(rules(Toy)) - set(rules(less))

    assert gone == {
        "test_a_ring_of_links_is_noticed",
        "test_a_missing_field_costs_one_row",
        "test_a_row_that_comes_twice_is_one",
        "test_an_unknown_word_is_unknown",
        "test_no_buyers_data_is_kept_of_a_broken_row",
        "test_unexpected_fields_are_ignored",
    }


NAMES = "test_a_row_names_its_line"


@pytest.mark.parametrize("only", [Kind.ORDERS, Kind.DISPATCHED, Kind.CANCELLED, Kind.RETURNS])
@pytest.mark.parametrize("plugin", [SkuForLine, NamesTheSku])
def test_a_panel_without_line_ids_passes_if_it_says_so(plugin: type[ToyPlugin], only: Kind) -> None:
    names = [name for name in rules(Toy) if name not in SLOW or name == HISTORY]
    said = broken_by(plugin(), names, only=only, cannot=frozenset({"line_ids"}), examples=20)

    assert said == {}


def test_a_row_may_name_its_parcel_alone_if_that_holds_one_line() -> None:
    assert broken_by(NamesTheParcel(), [NAMES]) == {}
    said = broken_by(NamesTheParcel(), [NAMES], cannot=frozenset({"split"}))
    assert "neither line_id nor sku" in said[NAMES]
    said = broken_by(NamesTheParcel(), [NAMES], only=Kind.CANCELLED)  # no parcel is named there
    assert "neither line_id nor sku" in said[NAMES]


def test_nothing_may_be_an_answer_where_the_panel_says_it_so() -> None:
    rule = "test_a_wrong_answer_fails_the_pass"

    assert "an empty body" in broken_by(TakesNothing(), [rule])[rule]
    assert broken_by(TakesNothing(), [rule], cannot=frozenset({"empty_body"})) == {}


def test_a_word_that_cannot_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="'rings'"):
        type("Odd", (Toy,), {"cannot": frozenset({"rings"})})


def test_without_a_simulator_only_the_description_is_checked() -> None:
    bare = type("Bare", (Toy,), {"simulator": None})

    assert rules(bare) == ["test_describe_channel_is_complete", "test_describe_channel_is_pure"]


@pytest.mark.parametrize(
    "cannot",
    [
        {"pick_up", "courier_return", "seller_ships", "sellers", "lines", "quantities"},
        {"deliver", "customer_return", "split", "parts", "withdraw", "cancel_in_transit"},
        {"courier_return", "customer_return", "cancel", "lost", "repeat", "odd_ids", "empty_body"},
    ],
)
def test_a_panel_that_can_less_passes_with_less(cannot: set[str]) -> None:
    suite = type("Less", (Toy,), {"cannot": frozenset(cannot), "examples": 5, "many": 4})

    for name in set(rules(suite)) - SLOW | {HISTORY}:
        getattr(suite(), name)()


class OneQuestion(ToyPlugin):
    def __init__(self, reads_by: ReadsBy) -> None:
        self.how = reads_by

    def describe(self, **more: Any) -> Channel:
        return super().describe(reads_by=frozenset({self.how}))


@pytest.mark.parametrize("how", list(ReadsBy))
def test_a_panel_that_answers_one_question_passes(how: ReadsBy) -> None:
    suite = type("One", (Toy,), {"plugin": OneQuestion(how), "examples": 5, "many": 4})

    for name in set(rules(suite)) - SLOW | {HISTORY}:
        getattr(suite(), name)()


def test_a_plugin_that_is_not_installed_is_named() -> None:
    suite = type("Gone", (ChannelTests,), {"channel": "no-such-channel"})

    with pytest.raises(AssertionError, match="no-such-channel"):
        suite().test_describe_channel_is_pure()


def test_every_word_of_cannot_is_documented(repository: Path) -> None:
    guide = (repository / "docs" / "plugin-authors.md").read_text()

    assert [word for word in CANNOT if f"`{word}`" not in guide] == []


def test_every_knob_is_documented(repository: Path) -> None:
    guide = (repository / "docs" / "plugin-authors.md").read_text()
    knobs = guide[guide.index("### The knobs") : guide.index("### Recorded answers")]

    assert [name for name in Base.__annotations__ if f"`{name}`" not in knobs] == []


def test_kinds_that_the_panel_does_not_date_are_not_asked_for_times() -> None:
    rule, knobs = "test_times_are_the_panels", {"only": Kind.DELIVERED}

    assert list(broken_by(ThinksUtc(), [rule], **knobs)) == [rule]
    assert broken_by(ThinksUtc(), [rule], **knobs, undated=frozenset({Kind.DELIVERED})) == {}
    others = frozenset(Kind) - {Kind.DELIVERED}
    assert list(broken_by(ThinksUtc(), [rule], **knobs, undated=others)) == [rule]


# Recorded answers -----------------------------------------------------------------------------

RECORDED = {
    "kind": "dispatched",
    "now": "2026-11-20T12:00:00Z",
    "settings": {"seller": "s", "password": "canary"},
    "answers": [
        {"path": "/token", "query": {"seller": "s"}, "answer": {"token": "t", "life": 3600}},
        {"path": "/parcels", "query": {"word": "LEFT"}, "file": "page.txt"},
    ],
    "expected": [{"order_id": "7", "status": "DISPATCHED", "quantity": 2}],
}
PAGE = {
    "more": False,
    "rows": [
        {
            "order": "7", "line": "7-1", "sku": "A", "parcel": "P", "word": "LEFT", "total": 2,
            "at": "2026-11-20 17:00:00", "ships": "channel",
        }
    ],
}  # fmt: skip


def _recorded(folder: Path, **changes: Any) -> type[ChannelTests]:
    (folder / "page.txt").write_text(json.dumps(PAGE))
    (folder / "case.json").write_text(json.dumps({**RECORDED, **changes}))
    return type("Recorded", (Toy,), {"simulator": None, "recorded": folder})


def test_recorded_answers_are_replayed(tmp_path: Path) -> None:
    suite = _recorded(tmp_path)

    assert "test_recorded_answers" in rules(suite)
    suite().test_recorded_answers()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expected": []}, "instead of"),
        ({"expected": [{"quantity": 3}]}, "instead of"),
        ({"error": "panel_gone"}, "no error"),
        ({"answers": RECORDED["answers"][:1]}, "GET /parcels"),  # type: ignore[index]
        ({"answers": [*RECORDED["answers"], {"path": "/more"}]}, "/more"),  # type: ignore[misc]
        ({"knid": 1}, "knid"),
    ],
)
def test_a_recorded_case_that_differs_is_told(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        _recorded(tmp_path, **changes)().test_recorded_answers()


def test_a_recorded_error_is_expected_by_its_code(tmp_path: Path) -> None:
    answers = [RECORDED["answers"][0], {"path": "/parcels", "status": 410}]  # type: ignore[index]

    _recorded(tmp_path, answers=answers, error="panel_gone")().test_recorded_answers()


# As an author runs it -------------------------------------------------------------------------

FILE = """
from syncd.testing.conformance import ChannelTests
from tests.toyshop import ToyPlugin, ToySimulator

class NoTitle(ToyPlugin):
    def describe(self):
        return super().describe(title="")

class TestToy(ChannelTests):
    plugin, simulator = ToyPlugin(), ToySimulator

class TestNoTitle(ChannelTests):
    plugin, simulator = NoTitle(), ToySimulator
"""


def test_pytest_collects_it_and_shows_what_to_do(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_toy=FILE)

    result = pytester.runpytest_inprocess("-k", "describe", "-p", "no:randomly", "-p", "no:cov")

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["E  *do:    Name the channel as people know it."])


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": "2"}, {"line_id": "b"}, {"sku": "T"}, {"quantity": 2}, {"return_id": "r"},
        {"status": Status.LOST}, {"shipment_id": "p"}, {"tracking_number": "t"}, {"reason": "x"},
        {"native_status": "w"}, {"courier": "c"}, {"raw": "y"}, {"location_id": "l"},
    ],
    ids=str,
)  # fmt: skip
def test_without_an_evidence_id_the_kit_tells_facts_apart_as_the_core_does(
    change: dict[str, Any],
) -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    row = StatusChange(order_id="1", status=Status.DISPATCHED, native_status="n", occurred_at=at)
    other = structs.replace(row, **change)

    assert (evidence(row) == evidence(other)) == (evidence_of(row) == evidence_of(other))
