"""The words of the space as people say them, so that a box reads as a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from connector.model.tags import (
    Account,
    Age,
    Category,
    Choice,
    Form,
    Link,
    Notice,
    Obligation,
    Revision,
    Source,
    Visibility,
    Word,
)
from connector.policy.space import Box

PHRASES: Final[Mapping[str, Mapping[Word, str]]] = {  # by dimension: the same word means another thing in another
    "category": {
        Category.PROFILE: "your profile",
        Category.CONTACT: "your addresses and numbers",
        Category.PEOPLE: "what you keep about other people",
        Category.NOTE: "your private notes",
        Category.CREDENTIAL: "the access to your accounts",
        Category.DEVICE: "facts about your device",
        Category.USAGE: "facts about your visits",
    },
    "source": {
        Source.GIVEN: "that you typed in",
        Source.OBSERVED: "that the service saw",
        Source.IMPORTED: "that came from another account",
    },
    "form": {
        Form.IDENTIFIED: "about you in person",
        Form.AGGREGATE: "in figures that name nobody",
    },
    "age": {
        Age.OK: "of people of 13 and over",
        Age.CHILD_PARENT_OK: "of children whose parents agreed",
        Age.CHILD: "of children",
    },
    "visibility": {
        Visibility.PUBLIC: "made public",
        Visibility.SHARED: "shared with some",
        Visibility.PRIVATE: "kept private",
    },
    "revision": {
        Revision.CURRENT: "as it is now",
        Revision.UNREVISED: "as it was before a change",
    },
    "account": {
        Account.OPEN: "while you have an account here",
        Account.DELETED: "after you deleted your account here",
    },
    "link": {
        Link.CONNECTED: "while the other account is connected",
        Link.NONE: "with no other account connected",
        Link.REVOKED: "after the other account is disconnected",
    },
    "choice": {
        Choice.GIVEN: "if you agreed to it",
        Choice.NONE: "if you were not asked",
        Choice.STALE: "if you agreed before the policy changed",
        Choice.WITHDRAWN: "if you took your agreement back",
    },
    "notice": {
        Notice.CLEAR: "after a notice that you did not object to",
        Notice.NONE: "without a notice",
        Notice.WAITING: "while a notice is still running",
        Notice.OBJECTED: "although you objected",
    },
}
ORDINARY: Final[Mapping[str, frozenset[Word]]] = {  # goes without saying
    "age": frozenset({Age.OK, Age.CHILD_PARENT_OK}),
    "form": frozenset({Form.IDENTIFIED}),
    "revision": frozenset({Revision.CURRENT}),
    "account": frozenset({Account.OPEN}),
}
OWED: Final[Mapping[Obligation, str]] = {
    Obligation.LOG: "an entry in the ledger",
    Obligation.RECEIPT: "a receipt",
    Obligation.ASK_AGAIN: "asking you again",
    Obligation.OFFER_OPT_OUT: "a way to say no to more",
    Obligation.NAMED_APPROVER: "a named person who answers for it",
    Obligation.BIND_AGENT: "binding the agent to its task",
    Obligation.NOTIFIED_BEFORE: "a notice beforehand",
    Obligation.EXPIRE: "an end to keeping it",
    Obligation.PURGE: "deleting it",
    Obligation.PURGE_IMPORTED: "deleting what was imported",
    Obligation.TAG: "marking where it came from",
}


def phrase(box: Box) -> str:
    """A box as one phrase: what, from where, and when. What does not matter, or goes without saying, is left out."""
    parts = [
        _either(PHRASES[name], words)
        for name, words in box.words.items()
        if name in PHRASES and words != ORDINARY.get(name)
    ]
    if "category" not in box.words:
        parts.insert(0, "any information")
    return ", ".join(parts)


def _either(phrases: Mapping[Word, str], words: Iterable[Word]) -> str:
    said = [phrases[word] for word in sorted(words, key=lambda word: word.rank)]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} or {said[-1]}"
