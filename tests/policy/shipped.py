"""The shipped policy, read once for all tests of the policy, and short ways to ask it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from connector.model.tags import Account, Choice, Link, Notice, Standing, Tags, Use
from connector.policy import Decision, Policy, load_policy

DIRECTORY = Path(__file__).resolve().parents[2] / "config" / "policy"
NOW = 1_790_000_000_000


@cache
def policy() -> Policy:
    return load_policy(DIRECTORY)


def tags(category: str, source: str, **words: str) -> Tags:
    """Tags from plain words; what is not named is identified, of age, private and current."""
    rest = {"form": "identified", "age": "ok", "visibility": "private", "revision": "current"} | words
    encoded = ",".join([category, source, rest["form"], rest["age"], rest["visibility"], rest["revision"]])
    return Tags.parse(b"tags/1:" + encoded.encode())


def standing(account: str = "open", link: str = "connected", choice: str = "given", notice: str = "none") -> Standing:
    return Standing(Account(account), Link(link), Choice(choice), Notice(notice))


def ask(use: str, value: Tags, now: Standing | None = None) -> Decision:
    """Ask the shipped policy: `use` is "action recipient purpose"."""
    return policy().decide(Use.of(*use.split()), value, now or standing(), NOW)
