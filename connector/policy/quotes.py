"""Quotes of the operator's own policy text: rules and text cannot drift apart unseen."""

from __future__ import annotations

from collections.abc import Iterable

from connector.policy.rules import PolicyUnreadable, Rule

_SHOWN = 120


def check_quotes(file: str, rules: Iterable[Rule], text: tuple[str, str]) -> None:
    """Raise PolicyUnreadable with the rule and its quote where that does not stand in `text`, a (name, content) pair.

    How lines are broken and blanks are set does not count; everything else does.
    """
    name, content = text
    whole = _even(content)
    for rule in rules:
        if _even(rule.quote) not in whole:
            shown = rule.quote if len(rule.quote) <= _SHOWN else rule.quote[:_SHOWN] + "…"
            problem = f'"{shown}" does not stand in {name}; quote it to the letter, or take the quote out'
            raise PolicyUnreadable(file, f'rule "{rule.id}", key "quote"', problem)


def _even(text: str) -> str:
    return " ".join(text.split())
