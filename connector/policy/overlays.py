"""Terms of providers as read from a version's `overlays/*.toml`, and which of them a value comes under.

An overlay holds refusals and promises about them. It is read as strictly as the rules, and an effect other than `deny`
is refused here already; that it narrows and never widens is proven over the whole table besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from connector.policy.reading import parse, read_promise, read_rule, refuse_repeated, refuse_unknown, text_of
from connector.policy.rules import Effect, Kind, Overlay, PolicyUnreadable, Promise, Rule

OWN: Final = ""  # the terms of a value that comes under nobody's but ours
EVERY_SCOPE: Final = "*"
_HEAD: Final = {"name", "title", "provider", "source", "read_on", "scopes", "rule", *Kind}


def read_overlay(file: str, text: str, clauses: Mapping[str, str]) -> Overlay:
    """An overlay from its TOML text.

    Raises:
        PolicyUnreadable: as for a rulebook; and on a rule that does anything but refuse.
    """
    raw = parse(file, text)
    refuse_unknown(file, "", raw, _HEAD)
    rules = tuple(_refusal(file, number, each, clauses) for number, each in enumerate(raw.get("rule", []), 1))
    promises = tuple(
        read_promise(file, kind, number, each, clauses)
        for kind in Kind
        for number, each in enumerate(raw.get(kind, []), 1)
    )
    refuse_repeated(file, [*(rule.id for rule in rules), *(promise.id for promise in promises)])
    return Overlay(
        name=text_of(file, "", "name", raw),
        title=text_of(file, "", "title", raw),
        provider=text_of(file, "", "provider", raw),
        source=_address(file, raw),
        read_on=_day(file, raw),
        scopes=_scopes(file, raw),
        rules=rules,
        promises=promises,
    )


def check_together(overlays: Iterable[Overlay], rules: Iterable[Rule], promises: Iterable[Promise]) -> None:
    """Raise PolicyUnreadable where a name stands twice in all, or one provider has two overlays."""
    found = tuple(overlays)
    refuse_repeated("overlays", [each.name for each in found])
    refuse_repeated("overlays", [rule.id for each in found for rule in each.rules] + [rule.id for rule in rules])
    refuse_repeated("overlays", [one.id for each in found for one in each.promises] + [one.id for one in promises])
    refuse_repeated("overlays", [f"provider {each.provider}" for each in found])


def terms_for(overlays: Iterable[Overlay], provider: str, scopes: Iterable[str]) -> str:
    """The name of the terms that count for what a provider gave under these scopes; `OWN` where there are none."""
    held = set(scopes)
    for overlay in overlays:
        if overlay.provider == provider and (EVERY_SCOPE in overlay.scopes or held & set(overlay.scopes)):
            return overlay.name
    return OWN


def _refusal(file: str, number: int, raw: dict[str, Any], clauses: Mapping[str, str]) -> Rule:
    rule = read_rule(file, number, raw, clauses)
    if rule.effect is not Effect.DENY:
        raise PolicyUnreadable(
            file, f'rule "{rule.id}", key "effect"', f'a provider\'s terms only refuse; "{rule.effect}" is not theirs'
        )
    return rule


def _address(file: str, raw: dict[str, Any]) -> str:
    address = text_of(file, "", "source", raw)
    if not address.startswith("https://"):
        raise PolicyUnreadable(file, 'key "source"', "give the https address where the terms can be read")
    return address


def _day(file: str, raw: dict[str, Any]) -> str:
    found = raw.get("read_on")
    if not isinstance(found, date):
        raise PolicyUnreadable(file, 'key "read_on"', "give the day the terms were read, as 2026-11-22")
    return found.isoformat()


def _scopes(file: str, raw: dict[str, Any]) -> tuple[str, ...]:
    found = raw.get("scopes")
    if not isinstance(found, list) or not found or not all(isinstance(scope, str) and scope for scope in found):
        raise PolicyUnreadable(file, 'key "scopes"', 'give a list of the provider\'s scopes, or ["*"] for all')
    return tuple(found)
