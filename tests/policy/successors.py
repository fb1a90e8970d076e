"""Later versions of the shipped policy, for tests of what a change brings."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from connector.policy import Policy, Version
from connector.policy.rules import Rule
from tests.policy.shipped import DIRECTORY, policy

Change = Callable[[Rule], Rule | None]
NAME = "2030-01-01"


def successor(change: Change, *, effective_at: int, name: str = NAME, **head: object) -> Version:
    """The shipped rules, each changed (or dropped, by None), as a version with a hash of its own."""
    book = policy().versions[0].book
    rules = tuple(kept for rule in book.rules if (kept := change(rule)) is not None)
    facts = {"version": name, "rules": rules, "posted_at": effective_at, "effective_at": effective_at} | head
    return Version(replace(book, **facts), sha256(repr((name, rules, head)).encode()).hexdigest())


def followed_by(*versions: Version) -> Policy:
    return Policy([policy().versions[0], *versions])


def wider(rule: Rule) -> Rule | None:
    """What came from accounts may be pushed as well."""
    if rule.id == "push-own-words-only":
        return None
    return replace(rule, box=rule.box.without("source")) if rule.id == "push-opted-in" else rule


def narrower(rule: Rule) -> Rule | None:
    """Nothing may be pushed."""
    return None if rule.id == "push-opted-in" else rule


def same(rule: Rule) -> Rule:
    return rule


def folder(target: Path, effective_at: int, *, without: str = "overlays/google.toml") -> Path:
    """The shipped versions as files, and a sound one after them that allows more: a provider's terms are dropped."""
    versions = Path(shutil.copytree(DIRECTORY, target / "policy"))
    newer = Path(shutil.copytree(versions / "2019-03-11", versions / NAME))
    moment = datetime.fromtimestamp(effective_at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rules = newer / "policy.toml"
    text = rules.read_text(encoding="utf-8").replace('version = "2019-03-11"', f'version = "{NAME}"')
    rules.write_text(re.sub(r"effective = \S+", f"effective = {moment}", text), encoding="utf-8")
    (newer / without).unlink()
    return versions
