"""The page about the channels says what the plugins of this repository say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd import Channel, Pace, ReadsBy, Settings, Status
from syncd.channels import Channels, LoadedChannel
from syncd.control.abilities import Rate, abilities_of
from syncd.statuses import Kind
from tools.channels_page import ours, page, rate, span

ROOT = Path(__file__).resolve().parents[2]


def loaded(kinds: set[Kind], **said: object) -> LoadedChannel:
    channel = LoadedChannel("shop", "syncd-shop", "1.0")
    channel.kinds = frozenset(kinds)
    channel.description = Channel(title="Shop", settings=Settings, **said)  # type: ignore[arg-type]
    return channel


def test_the_page_of_the_manual_is_what_the_plugins_say() -> None:
    written = (ROOT / "docs" / "channels.md").read_text("utf-8")
    assert written == page(ours()), (
        "write it again: python -m tools.channels_page > docs/channels.md"
    )


def test_a_status_is_asked_by_what_its_kinds_are_asked_by() -> None:
    channel = loaded(
        {Kind.ORDERS, Kind.RETURNS, Kind.DELIVERED},
        reads_by=frozenset({ReadsBy.ORDERS}),
        window_only=frozenset({"orders"}),
        statuses=frozenset({Status.RETURNED, Status.DELIVERED}),
    )
    orders, returns, delivered = abilities_of(channel).tasks
    assert (orders.by, orders.statuses) == ((ReadsBy.WINDOW,), ())
    assert (returns.by, returns.statuses) == ((ReadsBy.ORDERS,), (Status.RETURNED,))
    assert delivered.statuses == (Status.DELIVERED,)
    assert "| Shop | window |  | ids |  |  | ids |  |  |  |  |  |  |" in page(Channels([channel]))


def test_another_source_has_a_line_and_a_part_of_its_own() -> None:
    channel = loaded({Kind.ORDERS, Kind.DISPATCHED})
    channel.sources["files"] = loaded(
        {Kind.DISPATCHED}, reads_by=frozenset({ReadsBy.WINDOW}), unverified=("The columns.",)
    )
    told = page(Channels([channel]))
    assert "| Shop \\* | both | both |" in told
    assert "| Shop, `files` \\* |  | window |" in told
    assert '### Shop with `source = "files"`' in told
    assert "* The columns." in told


def test_how_many_ids_go_into_a_call_is_told_where_ids_are_asked() -> None:
    by_window = loaded({Kind.ORDERS}, reads_by=frozenset({ReadsBy.WINDOW}))
    assert "orders in a call" not in page(Channels([by_window]))
    assert "| orders in a call | 100 |" in page(Channels([loaded({Kind.ORDERS})]))


def test_without_a_list_a_channel_tells_all_that_its_kinds_allow() -> None:
    (cancelled,) = abilities_of(loaded({Kind.CANCELLED})).tasks
    assert set(cancelled.statuses) == {
        Status.CANCELLED, Status.CANCEL_REQUESTED, Status.CANCEL_WITHDRAWN, Status.RETURN_NOTICED,
    }  # fmt: skip
    assert "| Shop \\* |" in page(Channels([loaded({Kind.CANCELLED})]))


def test_limits_are_told_in_words() -> None:
    told = page(
        Channels(
            [
                loaded(
                    {Kind.RETURNS},
                    look_back_limit=timedelta(days=90),
                    paces={"default": Pace(per_second=2), "unlimited": Pace(per_second=100_000)},
                    ships="the seller",
                    unverified=("The unit of weights.",),
                )
            ]
        )
    )
    assert "| looks back | 90 d at most |" in told
    assert "| pace `default` | 2 a second, 1 at once |" in told
    assert "unlimited" not in told
    assert "| who ships | the seller |" in told
    assert "* The unit of weights." in told


def test_a_channel_that_could_not_be_loaded_can_do_nothing() -> None:
    broken = LoadedChannel("shop", "syncd-shop", "1.0")
    broken.refuse("It is broken.")
    assert abilities_of(broken).tasks == ()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (90, "1 min 30 s"), (5_400, "1 h 30 min"), (604_800, "7 d")]
)
def test_a_span_is_told_exactly(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("per_second", "text"), [(2, "2 a second"), (0.5, "30 a minute"), (1 / 120, "30 an hour")]
)
def test_a_rate_is_told_in_the_unit_that_fits(per_second: float, text: str) -> None:
    assert rate(Rate(name="x", per_second=per_second, burst=1)) == f"{text}, 1 at once"


def test_a_rate_may_stand_in_a_header() -> None:
    assert rate(Rate(name="x", per_second=1, burst=2, header="X-Rate")).endswith(
        "2 at once, or as the header X-Rate says"
    )
