"""What a seller writes in the configuration about the report files of one account."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from msgspec import Struct
from pydantic import Field, field_validator, model_validator

from syncd import ReturnType, Settings, Status
from syncd.meanings import Meaning, Meanings, read_meaning
from syncd_panelfile.presets import PRESETS, Preset, Ships

Column = Literal[
    "order_id", "line_id", "sku", "quantity", "title", "placed_at", "location_id", "status",
    "occurred_at", "shipment_id", "tracking_number", "courier", "return_id", "return_type",
    "reason", "ships",
]  # fmt: skip
PresetName = Literal["", "paytm", "shopclues", "snapdeal", "tatacliq", "wooplr", "voonik"]


class Plan(Struct, frozen=True, kw_only=True):
    """How to read a file: the seller's own words over the preset's; words in one spelling."""

    columns: Mapping[str, str]
    statuses: Mapping[str, Meaning]
    file_statuses: Mapping[str, Meaning]
    return_types: Mapping[str, ReturnType]
    ships_words: Mapping[str, Ships]
    ships: Ships
    zone: ZoneInfo
    day_first: bool
    encoding: str
    delimiter: str
    totals: bool


def same(word: str) -> str:
    """A word as it is compared: the case and the number of blanks do not count."""
    return " ".join(word.split()).casefold()


class PanelfileSettings(Settings):
    """Settings of an account that is fed by report files."""

    allowed: ClassVar[frozenset[Status]] = frozenset(Status) - {Status.UNKNOWN}
    asks: ClassVar[str] = 'for a marketplace that can be asked, use channel = "contract"'

    folder: str = Field(default="", description="Folder that is watched; empty: only by hand.")
    preset: PresetName = Field(default="", description="Panel whose known words are taken.")
    columns: dict[Column, str] = Field(
        default={}, description="The file's column for each of ours, such as order_id."
    )
    statuses: Meanings = Field(default={}, description="What each word of the status column means.")
    file_statuses: Meanings = Field(
        default={}, description="What a file without a status column says, by its name's pattern."
    )
    return_types: dict[str, ReturnType] = Field(
        default={}, description="RTO or CIR for each word of the return_type column."
    )
    ships: Ships | None = Field(default=None, description="Who ships: channel (default), seller.")
    ships_words: dict[str, Ships] = Field(
        default={}, description="Who ships, for each word of the ships column."
    )
    time_zone: str = Field(default="Asia/Kolkata", description="Zone of times without an offset.")
    dates: Literal["day_first", "month_first"] = Field(
        default="day_first", description="How 03/04/2026 is read; years first are always clear."
    )
    encoding: Literal["auto", "utf-8", "utf-16", "cp1252"] = "auto"
    delimiter: Literal["auto", ",", ";", "\t", "|"] = "auto"
    quantities: Literal["total", "part"] = Field(
        default="total", description="A quantity is the line's total so far, or one part more."
    )
    settle_seconds: float = Field(
        default=5.0, ge=0, le=600, description="A file is read once unchanged for so long."
    )

    @property
    def known(self) -> Preset:
        """What the preset knows."""
        return PRESETS.get(self.preset, Preset())

    def plan(self) -> Plan:
        """The seller's words over the preset's."""
        known = self.known
        meanings = {same(word): read_meaning(text) for word, text in known.statuses.items()}
        types = {same(word): ReturnType(text) for word, text in known.return_types.items()}
        ships = {same(word): who for word, who in known.ships_words.items()}
        return Plan(
            columns=self._columns(),
            statuses=meanings | {same(word): one for word, one in self.statuses.items()},
            file_statuses={same(word): one for word, one in self.file_statuses.items()},
            return_types=types | {same(word): one for word, one in self.return_types.items()},
            ships_words=ships | {same(word): who for word, who in self.ships_words.items()},
            ships=self.ships or known.ships or "channel",
            zone=ZoneInfo(self.time_zone),
            day_first=self.dates == "day_first",
            encoding=self.encoding,
            delimiter=self.delimiter,
            totals=self.quantities == "total",
        )

    def _columns(self) -> dict[str, str]:
        own: dict[str, str] = {str(name): text for name, text in self.columns.items()}
        return {**self.known.columns, **own}

    @field_validator("folder")
    @classmethod
    def _whole_path(cls, value: str) -> str:
        if value and not Path(value).is_absolute():
            raise ValueError("must be a whole path that begins with /")
        return value

    @field_validator("time_zone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no time zone; write one like Asia/Kolkata") from None
        return value

    @field_validator("statuses", "file_statuses")
    @classmethod
    def _reported(cls, value: dict[str, Meaning]) -> dict[str, Meaning]:
        for word, meaning in value.items():
            if meaning.status is not None and meaning.status not in cls.allowed:
                said = ", ".join(sorted(cls.allowed))
                raise ValueError(f'"{word}": this channel reports only {said}')
        return value

    @field_validator("base_url")
    @classmethod
    def _no_address(cls, value: str) -> str:
        if value:
            raise ValueError(
                "has no use here: nobody is called, files come from folder or by syncctl "
                f"import-report. Take it out; {cls.asks}"
            )
        return value

    def missing(self) -> dict[str, str]:
        """Settings without which no file can be read, each with an example of its value."""
        if self._columns().get("order_id"):
            return {}
        own = {ours: name for ours, name in self.columns.items() if name}
        shown = {"order_id": "Order ID", "status": "Status", **own}
        listed = ", ".join(f'{ours} = "{name}"' for ours, name in shown.items())
        return {"columns": f"{{ {listed} }}"}

    @model_validator(mode="after")
    def _readable(self) -> Self:
        columns, missing = self._columns(), self.missing()
        if missing:
            examples = "; ".join(f"{name} = {value}" for name, value in missing.items())
            raise ValueError(
                f"no file can be read without {' and '.join(missing)}. With the names in your "
                f"files write such as: {examples}"
            )
        if "quantity" in columns and not {"line_id", "sku"} & columns.keys():
            raise ValueError("columns: a quantity needs a line_id or a sku beside it")
        return self
