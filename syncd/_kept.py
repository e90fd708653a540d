"""What is kept of a row that could not be read: the fields that its shape names, and no others.

A panel's row may hold a buyer's name, phone or address. What a plugin does not read of a good row
must not be stored of a bad one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect

OTHERS: Final = "(other fields)"
MARK: Final = "(row)"
MAX_OTHERS: Final = 40
_NAME: Final = re.compile(r"[A-Za-z_][\w.\- ]{0,40}")
_KINDS: Final = {str: "(text)", int: "(number)", float: "(number)", list: "(list)"}


@lru_cache(maxsize=512)
def names_of(shape: Any) -> frozenset[str]:
    """The names of all fields of a shape and of the shapes inside it, as the panel writes them."""
    return frozenset(_names(inspect.type_info(shape), set()))


def _names(kind: inspect.Type, seen: set[type]) -> Iterator[str]:
    if isinstance(kind, inspect.StructType):
        if kind.cls not in seen:
            seen.add(kind.cls)
            for one in kind.fields:
                yield one.encode_name
                yield from _names(one.type, seen)
    elif isinstance(kind, inspect.UnionType):
        for part in kind.types:
            yield from _names(part, seen)
    elif isinstance(kind, inspect.Metadata):
        yield from _names(kind.type, seen)
    elif isinstance(kind, inspect.CollectionType | inspect.VarTupleType):
        yield from _names(kind.item_type, seen)


def kept(value: Any, names: Collection[str], *, mark: str = "") -> str:
    """A decoded row as JSON: its fields of these names, at any depth, and the others' names.

    What is no object is told by its kind alone. ``mark`` is written beside it.
    """
    if not isinstance(value, dict):
        return f"{_KINDS.get(type(value), '(nothing)')} {mark}".strip()
    told = _kept(value, names)
    return msgspec.json.encode({**told, MARK: mark} if mark else told).decode()


def _kept(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, dict):
        found = {key: _field(one, names) for key, one in value.items() if key in names}
        others = sorted(key for key in value if key not in names and _NAME.fullmatch(key))
        return {**found, OTHERS: others[:MAX_OTHERS]} if others else found
    if isinstance(value, list):
        return [_kept(one, names) for one in value]
    return _KINDS.get(type(value), value)  # true, false and null tell nothing of anybody


def _field(value: Any, names: Collection[str]) -> Any:
    return _kept(value, names) if isinstance(value, dict | list) else value
