"""Reading a version's TOML, each word checked against the closed vocabulary. Nothing is guessed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connector.model.tags import Obligation, UnknownWord, Use, Word
from connector.policy.rules import Effect, Kind, PolicyUnreadable, Promise, Rule, Rulebook
from connector.policy.space import DIMENSIONS, Box

_HEAD: Final = {"version", "effective", "posted", "default", "clauses", "rule"}
_RULE: Final = {"id", "clause", "effect", "meaning", "quote", "obligations", "except", *DIMENSIONS}
_PROMISE: Final = {"id", "clause", "meaning", "obligations", "except", "when", *DIMENSIONS}
_TABLES: Final = {"flows", *Kind}


def read_rulebook(policy: tuple[str, str], promises: tuple[str, str]) -> Rulebook:
    """A rulebook from (file name, TOML text) of the rules and of the promises.

    Raises:
        PolicyUnreadable: on an unknown word or key, a missing or repeated one, or text that is not TOML.
    """
    head = parse(*policy)
    refuse_unknown(policy[0], "", head, _HEAD)
    rest = parse(*promises)
    refuse_unknown(promises[0], "", rest, _TABLES)
    clauses = _table_of_texts(policy[0], "clauses", head.get("clauses"))
    effective_at = _instant(policy[0], "effective", head.get("effective"))
    book = Rulebook(
        version=text_of(policy[0], "", "version", head),
        effective_at=effective_at,
        posted_at=_instant(policy[0], "posted", head["posted"]) if "posted" in head else effective_at,
        default_clause=_known_clause(policy[0], "default", clauses, head.get("default", {}).get("clause")),
        clauses=clauses,
        rules=tuple(read_rule(policy[0], n, raw, clauses) for n, raw in enumerate(head.get("rule", []), 1)),
        promises=tuple(
            read_promise(promises[0], kind, n, raw, clauses)
            for kind in Kind
            for n, raw in enumerate(rest.get(kind, []), 1)
        ),
        flows=_flows(promises[0], rest.get("flows", {})),
    )
    refuse_repeated(policy[0], [rule.id for rule in book.rules])
    refuse_repeated(promises[0], [promise.id for promise in book.promises])
    if book.posted_at > book.effective_at:
        raise PolicyUnreadable(policy[0], 'key "posted"', "a version is posted before it takes effect, not after")
    return book


def read_rule(file: str, number: int, raw: dict[str, Any], clauses: Mapping[str, str]) -> Rule:
    """A rule from its table; `number` names it where it has no id. Raises PolicyUnreadable."""
    where = _name(file, "rule", number, raw)
    refuse_unknown(file, where, raw, _RULE)
    effect = text_of(file, where, "effect", raw)
    if effect not in set(Effect):
        raise PolicyUnreadable(file, f'{where}, key "effect"', f'unknown effect "{effect}"; use allow, deny or oblige')
    return Rule(
        id=raw["id"],
        clause=_known_clause(file, where, clauses, raw.get("clause")),
        effect=Effect(effect),
        meaning=text_of(file, where, "meaning", raw),
        box=_box(file, where, raw),
        exceptions=_exceptions(file, where, raw),
        obligations=_obligations(file, where, raw),
        quote=text_of(file, where, "quote", raw) if "quote" in raw else "",
    )


def read_promise(file: str, kind: Kind, number: int, raw: dict[str, Any], clauses: Mapping[str, str]) -> Promise:
    """A promise from its table. Raises PolicyUnreadable."""
    where = _name(file, str(kind), number, raw)
    refuse_unknown(file, where, raw, _PROMISE)
    obligations = _obligations(file, where, raw)
    when = raw.get("when", "allowed")
    if (kind is Kind.OWED) != bool(obligations):
        raise PolicyUnreadable(file, f'{where}, key "obligations"', "an owed promise names obligations, others do not")
    if when not in {"allowed", "denied"} or (when == "denied" and kind is not Kind.OWED):
        raise PolicyUnreadable(file, f'{where}, key "when"', 'use "allowed" or "denied", in owed promises only')
    return Promise(
        id=raw["id"],
        clause=_known_clause(file, where, clauses, raw.get("clause")),
        kind=kind,
        meaning=text_of(file, where, "meaning", raw),
        box=_box(file, where, raw),
        exceptions=_exceptions(file, where, raw),
        obligations=obligations,
        when_denied=when == "denied",
    )


def _box(file: str, where: str, raw: dict[str, Any]) -> Box:
    return Box({name: _words(file, where, name, kind, raw[name]) for name, kind in DIMENSIONS.items() if name in raw})


def _exceptions(file: str, where: str, raw: dict[str, Any]) -> tuple[Box, ...]:
    found = raw.get("except", [])
    if not isinstance(found, list) or not all(isinstance(box, dict) and box for box in found):
        raise PolicyUnreadable(
            file, f'{where}, key "except"', "give a list of tables, each with at least one dimension"
        )
    for box in found:
        refuse_unknown(file, f"{where}, except", box, set(DIMENSIONS))
    return tuple(_box(file, f"{where}, except", box) for box in found)


def _words(file: str, where: str, key: str, kind: type[Word], raw: Any) -> frozenset[Word]:
    if not isinstance(raw, list) or not raw:
        raise PolicyUnreadable(file, f'{where}, key "{key}"', "give a list of words; leave the key out for all of them")
    try:
        words = frozenset(kind(word) for word in raw)
    except UnknownWord as unknown:
        raise PolicyUnreadable(file, f'{where}, key "{key}"', str(unknown)) from unknown
    if len(words) != len(raw):
        raise PolicyUnreadable(file, f'{where}, key "{key}"', "a word stands twice")
    return words


def _obligations(file: str, where: str, raw: dict[str, Any]) -> tuple[Obligation, ...]:
    if "obligations" not in raw:
        return ()
    words = _words(file, where, "obligations", Obligation, raw["obligations"])
    return tuple(word for word in Obligation if word in words)


def _flows(file: str, raw: Any) -> dict[str, str]:
    flows = _table_of_texts(file, "flows", raw)
    for flow in flows:
        words = flow.split(" ")
        try:
            known = len(words) == len(("action", "recipient", "purpose")) and str(Use.of(*words)) == flow
        except UnknownWord as unknown:
            raise PolicyUnreadable(file, f'flows, key "{flow}"', str(unknown)) from unknown
        if not known:
            raise PolicyUnreadable(file, f'flows, key "{flow}"', 'write "action recipient purpose", one blank between')
    return flows


def parse(file: str, text: str) -> dict[str, Any]:
    """The tables of a file. Raises PolicyUnreadable where it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise PolicyUnreadable(file, "", f"not TOML: {broken}") from broken


def _name(file: str, what: str, number: int, raw: Any) -> str:
    if not isinstance(raw, dict):
        raise PolicyUnreadable(file, f"{what} {number}", f"write it as a [[{what}]] table")
    if not isinstance(raw.get("id"), str) or not raw["id"]:
        raise PolicyUnreadable(file, f'{what} {number}, key "id"', "every one has a name of its own")
    return f'{what} "{raw["id"]}"'


def text_of(file: str, where: str, key: str, raw: dict[str, Any]) -> str:
    """A text that must be there. Raises PolicyUnreadable."""
    value = raw.get(key)
    if not isinstance(value, str) or not value.strip():
        raise PolicyUnreadable(file, f'{where}, key "{key}"' if where else f'key "{key}"', "missing, or not a text")
    return value


def _table_of_texts(file: str, key: str, raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict) or not raw or not all(isinstance(text, str) and text for text in raw.values()):
        raise PolicyUnreadable(file, f'key "{key}"', "give a table of texts")
    return raw


def _known_clause(file: str, where: str, clauses: Mapping[str, str], clause: Any) -> str:
    if not isinstance(clause, str) or clause not in clauses:
        raise PolicyUnreadable(
            file, f'{where}, key "clause"', f"unknown clause {clause!r}; use one of: {', '.join(clauses)}"
        )
    return clause


def _instant(file: str, key: str, raw: Any) -> int:
    if not isinstance(raw, datetime) or raw.tzinfo is None:
        raise PolicyUnreadable(file, f'key "{key}"', "give a date with time and zone, as 2019-03-11T00:00:00Z")
    return round(raw.timestamp() * 1000)


def refuse_unknown(file: str, where: str, raw: dict[str, Any], known: set[str]) -> None:
    """Raise PolicyUnreadable on a key that nobody reads."""
    for key in raw:
        if key not in known:
            place = f'{where}, key "{key}"' if where else f'key "{key}"'
            raise PolicyUnreadable(file, place, f"unknown key; use one of: {', '.join(sorted(known))}")


def refuse_repeated(file: str, ids: list[str]) -> None:
    """Raise PolicyUnreadable where a name stands twice."""
    for name in ids:
        if ids.count(name) > 1:
            raise PolicyUnreadable(file, f'"{name}"', "the name stands twice; give each its own")
