"""The closed vocabulary of the privacy policy, and the three things a decision is taken on.

`Use` is what is asked for, `Tags` are stamped on a value for good, `Standing` is looked up at the moment of use.
Words are closed sets: a word that is not in its set is refused by name, never guessed. Where a set has an order of
restriction the least restrictive word comes first, so `rank` compares two words; the sets so ordered are Age,
Visibility, Source, Link, Choice and Notice, and the policy's proof checks that a higher rank never opens anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from itertools import product
from typing import Final, Self


class UnknownWord(ValueError):
    """A word outside its closed set.

    Attributes:
        word: the word as it was given.
        kind: the set it was looked for in, for example `recipient`.
        known: the words of that set, in order.
    """

    def __init__(self, word: object, kind: str, known: tuple[str, ...]) -> None:
        self.word = word
        self.kind = kind
        self.known = known
        super().__init__(f"unknown {kind} {word!r}; use one of: {', '.join(known)}")


class MalformedTags(ValueError):
    """Bytes that `Tags.canonical` never writes. The value they were stored with must not be opened."""


class Word(StrEnum):
    """One word of a closed set; `rank` is its place in the set, from 0."""

    rank: int

    def __new__(cls, value: str) -> Self:
        """Build the member and number it by its place."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.rank = len(cls.__members__)
        return member

    @classmethod
    def _missing_(cls, value: object) -> Self:
        raise UnknownWord(value, cls.__name__.lower(), tuple(word.value for word in cls))


class Action(Word):
    """What is done with a value."""

    COLLECT = "collect"
    KEEP = "keep"
    SHOW = "show"
    USE = "use"
    SHARE = "share"
    PUSH = "push"
    EXPORT = "export"


class Recipient(Word):
    """Who gets it. `us` is the controller and includes the tenant's own apps and workers; `owner` is the person."""

    US = "us"
    OWNER = "owner"
    USER = "user"
    PROVIDER = "provider"
    AFFILIATE = "affiliate"
    AGENT = "agent"
    ACQUIRER = "acquirer"
    AUTHORITY = "authority"


class Purpose(Word):
    """What for. `sell` is here so that its refusal can be proven; nothing allows it."""

    ACCOUNT = "account"
    SERVICE = "service"
    PERSONALISE = "personalise"
    CONTACT = "contact"
    IMPROVE = "improve"
    PROTECT = "protect"
    SYNC = "sync"
    TRANSFER = "transfer"
    SELL = "sell"


class Category(Word):
    """What kind of information. `people` is about others than the owner; `note` is a private note on them."""

    PROFILE = "profile"
    CONTACT = "contact"
    PEOPLE = "people"
    NOTE = "note"
    CREDENTIAL = "credential"
    DEVICE = "device"
    USAGE = "usage"


class Source(Word):
    """Where it came from: typed in by the person, seen by the service, or brought in from a third-party account."""

    GIVEN = "given"
    OBSERVED = "observed"
    IMPORTED = "imported"


class Form(Word):
    """Whether it is about one person. Only the function that enforces the aggregate threshold makes `aggregate`."""

    IDENTIFIED = "identified"
    AGGREGATE = "aggregate"


class Age(Word):
    """Of the person the value is about. An unknown age is asked for before deciding; it is no word here."""

    OK = "ok"
    CHILD_PARENT_OK = "child_parent_ok"
    CHILD = "child"


class Visibility(Word):
    """Who may see it on the service, by its owner's choice. Imported values are always private."""

    PUBLIC = "public"
    SHARED = "shared"
    PRIVATE = "private"


class Revision(Word):
    """Whether a later value took its place."""

    CURRENT = "current"
    UNREVISED = "unrevised"


class Account(Word):
    """The owner's account with us; `deleted` from the moment deletion is asked for."""

    OPEN = "open"
    DELETED = "deleted"


class Link(Word):
    """The owner's connection the value hangs on or goes to; `none` where there is none (yet)."""

    CONNECTED = "connected"
    NONE = "none"
    REVOKED = "revoked"


class Choice(Word):
    """The person's own choice about this very flow.

    For an import and for imported values it is the choice to import, for a push the opt-in of that connection and
    field group, for `contact` the mail preference. Where two choices bear on one flow, the higher rank counts.
    """

    GIVEN = "given"
    NONE = "none"
    STALE = "stale"
    WITHDRAWN = "withdrawn"


class Notice(Word):
    """Of a proposed sharing or transfer: over without objection, never posted, still running, or objected to."""

    CLEAR = "clear"
    NONE = "none"
    WAITING = "waiting"
    OBJECTED = "objected"


class Obligation(Word):
    """What must be discharged before an allowed value is let go, or must follow a refusal."""

    LOG = "log"
    RECEIPT = "receipt"
    ASK_AGAIN = "ask_again"
    OFFER_OPT_OUT = "offer_opt_out"
    NAMED_APPROVER = "named_approver"
    BIND_AGENT = "bind_agent"
    NOTIFIED_BEFORE = "notified_before"
    EXPIRE = "expire"
    PURGE = "purge"
    PURGE_IMPORTED = "purge_imported"
    TAG = "tag"


_FORMAT: Final = b"tags/1"
_RECIPIENTS, _PURPOSES = len(Recipient), len(Purpose)
_SOURCES, _FORMS, _AGES, _VISIBILITIES, _REVISIONS = map(len, (Source, Form, Age, Visibility, Revision))
_LINKS, _CHOICES, _NOTICES = len(Link), len(Choice), len(Notice)


@dataclass(frozen=True, slots=True)
class Use:
    """What is asked for: this action, for this recipient, for this purpose."""

    action: Action
    recipient: Recipient
    purpose: Purpose
    index: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Number this combination, so that a decision looks up instead of comparing."""
        index = (self.action.rank * _RECIPIENTS + self.recipient.rank) * _PURPOSES + self.purpose.rank
        object.__setattr__(self, "index", index)

    def __str__(self) -> str:
        return f"{self.action} {self.recipient} {self.purpose}"

    @classmethod
    def of(cls, action: str, recipient: str, purpose: str) -> Use:
        """The same from plain words. Raises UnknownWord."""
        return cls(Action(action), Recipient(recipient), Purpose(purpose))


@dataclass(frozen=True, slots=True)
class Tags:
    """Stamped on a value when it comes in; bound to its ciphertext as associated data."""

    category: Category
    source: Source
    form: Form = Form.IDENTIFIED
    age: Age = Age.OK
    visibility: Visibility = Visibility.PRIVATE
    revision: Revision = Revision.CURRENT
    index: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Number this combination, so that a decision looks up instead of comparing."""
        index = self.category.rank * _SOURCES + self.source.rank
        index = index * _FORMS + self.form.rank
        index = index * _AGES + self.age.rank
        index = index * _VISIBILITIES + self.visibility.rank
        object.__setattr__(self, "index", index * _REVISIONS + self.revision.rank)

    def canonical(self) -> bytes:
        """The one encoding of these tags; two different tags never share it. For use as associated data."""
        words = (self.category, self.source, self.form, self.age, self.visibility, self.revision)
        return _FORMAT + b":" + ",".join(words).encode("ascii")

    @classmethod
    def parse(cls, encoded: bytes) -> Tags:
        """The tags that `canonical` wrote.

        Raises:
            MalformedTags: on any other bytes, an unknown word included. Nothing is guessed.
        """
        known = _written().get(encoded)
        if known is None:
            raise MalformedTags(
                f"stored tags are not in the {_FORMAT.decode()} encoding; restore the row from a backup"
            )
        return known

    @classmethod
    def credential(cls, age: Age = Age.OK) -> Tags:
        """The tags of a provider token: what the person handed us, so `given`, and private."""
        return cls(Category.CREDENTIAL, Source.GIVEN, age=age)


@cache
def _written() -> dict[bytes, Tags]:
    """Every encoding there is. The words are closed, so reading is looking up: quick, and nothing else gets in."""
    every = (Tags(*words) for words in product(Category, Source, Form, Age, Visibility, Revision))
    return {tags.canonical(): tags for tags in every}


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand with the owner at the moment of use. Looked up each time, never stored with a decision."""

    account: Account
    link: Link
    choice: Choice
    notice: Notice
    index: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Number this combination, so that a decision looks up instead of comparing."""
        index = self.account.rank * _LINKS + self.link.rank
        index = index * _CHOICES + self.choice.rank
        object.__setattr__(self, "index", index * _NOTICES + self.notice.rank)
