"""The official static sandbox cases, answered by the pretend Amazon where it is given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from syncd.testing import Reply, Request, json_reply


def static_reply(cases: Sequence[Mapping[str, Any]], request: Request, path: str) -> Reply | None:
    """The answer of the sandbox case that fits with the most parameters."""
    fitting = []
    for case in cases:
        found = matched(_pattern(case["path"]), path)
        if found is None or case["method"] != request.method:
            continue
        if _fits(case, request, dict(zip(_names(case["path"]), found, strict=True))):
            fitting.append(case)
    if not fitting:
        return None
    best = max(fitting, key=lambda one: len(one["request"].get("parameters", {})))
    return json_reply(best["response"], best["status"])


def matched(pattern: str, path: str) -> list[str] | None:
    """The parts of the path that stand for the pattern's stars, None where it does not fit."""
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    pairs = list(zip(wanted, given, strict=True))
    if any(one not in ("*", other) for one, other in pairs):
        return None
    return [other for one, other in pairs if one == "*"]


def _names(template: str) -> list[str]:
    return [part.strip("{}") for part in template.split("/") if part.startswith("{")]


def _pattern(template: str) -> str:
    return "/".join("*" if part.startswith("{") else part for part in template.split("/"))


def _fits(case: Mapping[str, Any], request: Request, in_path: Mapping[str, str]) -> bool:
    """Whether a request has the parameters of a sandbox case; others may stand beside."""
    wanted = case["request"].get("parameters", {})
    given: dict[str, Any] = {**request.query, **in_path}
    for name, one in wanted.items():
        if name == "body":
            body = one.get("value", one) if isinstance(one, dict) else one
            if not request.body or msgspec.json.decode(request.body) != body:
                return False
            continue
        value = one["value"]
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        if str(given.get(name)) != text:
            return False
    return True
