"""One page of a provider, sorted: taken, refused, stranger. What is taken carries its tags and its origin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connector.connections import Connection
from connector.flows.gateway import Gateway
from connector.flows.import_records.ages import is_child
from connector.flows.import_records.planning import Kind, tags_of
from connector.model.tags import Age, Category
from connector.people import User
from connector.records import IncomingCard, NewValue, Origin, SealedValue, wrong_with
from providers.capabilities import FieldValue, Item, Page


@dataclass(frozen=True, slots=True)
class Sorted:
    """What a page comes to.

    Attributes:
        cards: what may be stored.
        children: contacts that were dropped because they are children.
        own_child: the person's own profile says that they are one.
    """

    cards: tuple[IncomingCard, ...]
    ignored: int
    strangers: int
    refused: int
    children: int
    own_child: bool


@dataclass(frozen=True, slots=True)
class Sorter:
    """Everything that sorting one page needs. `now` in ms."""

    gateway: Gateway
    connection: Connection
    user: User
    kind: str
    plan: Kind
    now: int

    def sort(self, page: Page) -> Sorted:
        """Sort a page. No field goes uncounted."""
        cards: list[IncomingCard] = []
        strangers = refused = children = 0
        for item in page.items:
            if not item.deleted and is_child(item, self.now):
                children += 1
                cards.append(IncomingCard(item.external_id, gone="policy"))
                continue
            card, wrong, denied = self._card(item)
            cards.append(card)
            strangers += len(item.strangers) + wrong
            refused += denied
        ignored = sum(len(item.ignored) for item in page.items)
        own = self.kind == "profile" and children > 0
        return Sorted(() if own else tuple(cards), ignored, strangers, refused, children, own)

    def _card(self, item: Item) -> tuple[IncomingCard, int, int]:
        if item.deleted:
            return IncomingCard(item.external_id, gone="provider"), 0, 0
        values: list[NewValue] = []
        unreadable = set(item.strangers)
        wrong = denied = 0
        for found in item.values:
            category = self._category(found)
            if category not in self.plan.categories:
                denied += 1
            elif wrong_with(found.pointer, found.value):
                wrong += 1
                unreadable.add(found.origin)
            else:
                values.append(self._value(found, category))
        keeps = _keeps(self.plan.categories, frozenset(unreadable))
        return IncomingCard(item.external_id, tuple(values), keeps=keeps), wrong, denied

    def _category(self, found: FieldValue) -> Category | None:
        """Contacts are about people whatever an adapter calls them, and a profile is never about others."""
        if self.kind == "contacts":
            return Category.PEOPLE
        return None if found.category == "people" else Category(found.category)

    def _value(self, found: FieldValue, category: Category) -> NewValue:
        retention = self.gateway.settings.policy.retention
        longest = getattr(retention, category.value)
        kept = longest if self.user.age is Age.OK else min(longest, retention.child)
        return NewValue(
            found.pointer,
            found.value,
            tags_of(category, self.user),
            Origin(
                policy_version=self.plan.policy_version,
                provider=self.connection.provider,
                connection=self.connection.id,
                field=found.origin,
                consent=self.plan.consent_id,
            ),
            self.now + int(kept.total_seconds() * 1000),
        )


def _keeps(looked_for: frozenset[Category], unreadable: frozenset[str]) -> Callable[[SealedValue], bool]:
    """A stored value stays where its category was not looked for, or its field could not be read this time."""

    def keeps(stored: SealedValue) -> bool:
        field = stored.origin.field
        broken = any(name == field or name.startswith(f"{field}.") for name in unreadable)
        return stored.tags.category not in looked_for or broken

    return keeps
