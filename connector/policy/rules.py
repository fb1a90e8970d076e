"""Rules and promises as read from a version's TOML, each word checked against the closed vocabulary.

A rule is a box with an effect: `allow` opens it, `deny` closes it whatever else allows it, `oblige` opens nothing and
adds obligations where something else allows. `except` takes boxes out. A promise is what must hold of all rules
together: `never` (no cell of the box is allowed), `always` (every cell is), `owed` (every allowed cell of the box
carries the obligations; with `when = "denied"`, every denied one).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from connector.model.errors import Misconfigured
from connector.model.tags import Obligation, UnknownWord, Use, Word
from connector.policy.space import DIMENSIONS, Box


class PolicyUnreadable(Misconfigured):
    """A policy file that cannot be taken as it is. The hint names the file, the rule and the key."""

    def __init__(self, file: str, where: str, problem: str) -> None:
        self.file = file
        self.where = where
        super().__init__("policy_unreadable", f"{file}: {where}: {problem}" if where else f"{file}: {problem}")


class Effect(StrEnum):
    """What a rule does to its box."""

    ALLOW = "allow"
    DENY = "deny"
    OBLIGE = "oblige"


class Kind(StrEnum):
    """What a promise says of its box."""

    NEVER = "never"
    ALWAYS = "always"
    OWED = "owed"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it does (`effect`) to which cells, under which clause, meaning what."""

    id: str
    clause: str
    effect: Effect
    meaning: str
    box: Box
    exceptions: tuple[Box, ...] = ()
    obligations: tuple[Obligation, ...] = ()


@dataclass(frozen=True, slots=True)
class Promise:
    """One statement about all rules together, checked in every combination."""

    id: str
    clause: str
    kind: Kind
    meaning: str
    box: Box
    exceptions: tuple[Box, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    when_denied: bool = False


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything one version says, before it is compiled.

    Attributes:
        flows: every (action, recipient, purpose) that can happen at all, with its sentence for people.
        clauses: clause id to its subject, in the order of the text.
    """

    version: str
    effective_at: int
    posted_at: int
    default_clause: str
    clauses: Mapping[str, str]
    rules: tuple[Rule, ...]
    promises: tuple[Promise, ...]
    flows: Mapping[str, str] = field(default_factory=dict)


_HEAD: Final = {"version", "effective", "posted", "default", "clauses", "rule"}
_RULE: Final = {"id", "clause", "effect", "meaning", "obligations", "except", *DIMENSIONS}
_PROMISE: Final = {"id", "clause", "meaning", "obligations", "except", "when", *DIMENSIONS}
_TABLES: Final = {"flows", *Kind}


def read_rulebook(policy: tuple[str, str], promises: tuple[str, str]) -> Rulebook:
    """A rulebook from (file name, TOML text) of the rules and of the promises.

    Raises:
        PolicyUnreadable: on an unknown word or key, a missing or repeated one, or text that is not TOML.
    """
    head = _parse(*policy)
    _refuse_unknown(policy[0], "", head, _HEAD)
    rest = _parse(*promises)
    _refuse_unknown(promises[0], "", rest, _TABLES)
    clauses = _table_of_texts(policy[0], "clauses", head.get("clauses"))
    effective_at = _instant(policy[0], "effective", head.get("effective"))
    book = Rulebook(
        version=_text(policy[0], "", "version", head),
        effective_at=effective_at,
        posted_at=_instant(policy[0], "posted", head["posted"]) if "posted" in head else effective_at,
        default_clause=_known_clause(policy[0], "default", clauses, head.get("default", {}).get("clause")),
        clauses=clauses,
        rules=tuple(_rule(policy[0], n, raw, clauses) for n, raw in enumerate(head.get("rule", []), 1)),
        promises=tuple(
            _promise(promises[0], kind, n, raw, clauses) for kind in Kind for n, raw in enumerate(rest.get(kind, []), 1)
        ),
        flows=_flows(promises[0], rest.get("flows", {})),
    )
    _refuse_repeated(policy[0], [rule.id for rule in book.rules])
    _refuse_repeated(promises[0], [promise.id for promise in book.promises])
    if book.posted_at > book.effective_at:
        raise PolicyUnreadable(policy[0], 'key "posted"', "a version is posted before it takes effect, not after")
    return book


def _rule(file: str, number: int, raw: dict[str, Any], clauses: Mapping[str, str]) -> Rule:
    where = _name(file, "rule", number, raw)
    _refuse_unknown(file, where, raw, _RULE)
    effect = _text(file, where, "effect", raw)
    if effect not in set(Effect):
        raise PolicyUnreadable(file, f'{where}, key "effect"', f'unknown effect "{effect}"; use allow, deny or oblige')
    return Rule(
        id=raw["id"],
        clause=_known_clause(file, where, clauses, raw.get("clause")),
        effect=Effect(effect),
        meaning=_text(file, where, "meaning", raw),
        box=_box(file, where, raw),
        exceptions=_exceptions(file, where, raw),
        obligations=_obligations(file, where, raw),
    )


def _promise(file: str, kind: Kind, number: int, raw: dict[str, Any], clauses: Mapping[str, str]) -> Promise:
    where = _name(file, str(kind), number, raw)
    _refuse_unknown(file, where, raw, _PROMISE)
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
        meaning=_text(file, where, "meaning", raw),
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
        _refuse_unknown(file, f"{where}, except", box, set(DIMENSIONS))
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


def _parse(file: str, text: str) -> dict[str, Any]:
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


def _text(file: str, where: str, key: str, raw: dict[str, Any]) -> str:
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


def _refuse_unknown(file: str, where: str, raw: dict[str, Any], known: set[str]) -> None:
    for key in raw:
        if key not in known:
            place = f'{where}, key "{key}"' if where else f'key "{key}"'
            raise PolicyUnreadable(file, place, f"unknown key; use one of: {', '.join(sorted(known))}")


def _refuse_repeated(file: str, ids: list[str]) -> None:
    for name in ids:
        if ids.count(name) > 1:
            raise PolicyUnreadable(file, f'"{name}"', "the name stands twice; give each its own")
