"""JSON as two programs cannot read differently: no repeated members, no NaN, no lone surrogates (RFC 7493)."""

from __future__ import annotations

import json
from typing import Any


def strict_object(text: str | bytes) -> dict[str, Any]:
    """The object that the text is.

    Raises:
        ValueError: it is no JSON object, or one that could be read in two ways.
    """
    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text  # the parser would guess, UTF-16 included
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeError:
        raise ValueError("it is not UTF-8 text") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004  one kind of complaint for whatever a text holds
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is repeated")
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")
