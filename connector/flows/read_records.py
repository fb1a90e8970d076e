"""Reading what is held about a person, for a purpose: one decision for all values alike, the entry, then the plaintext.

What the policy refuses is left out and named with its clause. Private notes are for their writer alone; no app or
worker reads them by any purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from connector import records
from connector.clients import Client
from connector.flows.gateway import Gateway
from connector.flows.release import release
from connector.flows.standings import Ground, decision_on, ground_of
from connector.ledger import Entry, append_all
from connector.ledger import Kind as EntryKind
from connector.model.errors import Forbidden, NotFound
from connector.model.tags import Action, Purpose, Recipient, Use
from connector.policy import Decision
from connector.records import Card, Change, Piece, SealedValue, compose, open_value
from connector.storage import Transaction
from vault import DataKey, KeyDestroyed, KeyUnknown, Owner, VaultError

_log = structlog.get_logger("records")
_UNREADABLE = "It does not open as what it was stored as, so it is not used; the operator finds it in the log."


@dataclass(frozen=True, slots=True)
class Shown:
    """A value that was released. `clause` allowed it."""

    stored: SealedValue
    value: Any = field(repr=False)
    clause: str

    @property
    def piece(self) -> Piece:
        """The same for a view of the whole card."""
        return Piece(self.stored.pointer, self.value, self.stored.imported_from, self.stored.collected_at)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A value that was not released, and why: the clause ("" where it cannot be opened) and a sentence."""

    stored: SealedValue
    clause: str
    reason: str


@dataclass(frozen=True, slots=True)
class CardView:
    """A card as far as it may be seen. `card` is None for the view of a person's own profile over all sources."""

    card: Card | None
    shown: tuple[Shown, ...]
    withheld: tuple[Withheld, ...]

    @property
    def composed(self) -> dict[str, Any]:
        """One JSContact card of what is shown."""
        return compose([each.piece for each in self.shown])


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change, with the value as it is now where it may be seen."""

    change: Change
    shown: Shown | None = None
    withheld: Withheld | None = None


@dataclass(frozen=True, slots=True)
class FeedView:
    """A piece of the change feed; `position` is where to go on."""

    changes: tuple[ChangeView, ...]
    position: int
    more: bool


def read_profile(gateway: Gateway, client: Client, sub: str, purpose: Purpose) -> CardView:
    """What is known of the person themselves, from all sources.

    Raises:
        Forbidden: the purpose was not granted to the client. NotFound: no such user.
    """
    use = _use(client, purpose)
    with gateway.store.read() as tx:
        ground = ground_of(gateway, tx, client.tenant_id, sub)
        cards = records.of_person(tx, client.tenant_id, sub, kind="self")
        stored = _visible(client, ground, records.of_cards(tx, [card.id for card in cards]))
    shown, withheld = _released(gateway, ground, use, stored, client_id=client.id)
    return CardView(None, tuple(shown), tuple(withheld))


def read_contacts(
    gateway: Gateway, client: Client, sub: str, purpose: Purpose, *, after: str, limit: int
) -> list[CardView]:
    """A page of the person's contacts, by card. Raises as `read_profile`."""
    use = _use(client, purpose)
    with gateway.store.read() as tx:
        ground = ground_of(gateway, tx, client.tenant_id, sub)
        cards = records.of_person(tx, client.tenant_id, sub, kind="contact", after=after, limit=limit)
        stored = _visible(client, ground, records.of_cards(tx, [card.id for card in cards]))
    shown, withheld = _released(gateway, ground, use, stored, client_id=client.id)
    return _by_card([card for card in cards if _may_see(client, ground, card.connection_id)], shown, withheld)


def read_claims(gateway: Gateway, client: Client, sub: str, wanted: Callable[[Ground, SealedValue], bool]) -> CardView:
    """What a person's own token opens about them: the wanted values of their profile, for purpose account.

    Raises:
        NotFound: no such user.
    """
    with gateway.store.read() as tx:
        ground = ground_of(gateway, tx, client.tenant_id, sub)
        cards = records.of_person(tx, client.tenant_id, sub, kind="self")
        held = _visible(client, ground, records.of_cards(tx, [card.id for card in cards]))
    stored = [value for value in held if wanted(ground, value)]
    use = Use(Action.USE, Recipient.US, Purpose.ACCOUNT)
    shown, withheld = _released(gateway, ground, use, stored, client_id=client.id)
    return CardView(None, tuple(shown), tuple(withheld))


def read_for_owner(gateway: Gateway, tenant_id: str, sub: str, action: Action) -> list[CardView]:
    """Everything that is held, for the person themselves: notes and older copies included.

    Args:
        action: show (their own pages) or export.

    Raises:
        NotFound: no such user.
    """
    use = Use(action, Recipient.OWNER, Purpose.ACCOUNT)
    with gateway.store.read() as tx:
        ground = ground_of(gateway, tx, tenant_id, sub)
        cards = [card for kind in ("self", "contact") for card in records.of_person(tx, tenant_id, sub, kind=kind)]
        stored = records.all_of(tx, tenant_id, sub)
    shown, withheld = _released(gateway, ground, use, stored, client_id=None)
    orphans = sorted({value.card_id for value in stored} - {card.id for card in cards})
    ended = [Card(card_id, tenant_id, sub, "contact", None, None, None) for card_id in orphans]
    return _by_card([*cards, *ended], shown, withheld)


def read_changes(gateway: Gateway, client: Client, purpose: Purpose, *, after: int | None, limit: int) -> FeedView:
    """The tenant's changes behind a position, as far as this client may see them.

    Raises:
        Gone: what follows that position is not kept any more (`cursor_expired`). Forbidden: as `read_profile`.
    """
    use = _use(client, purpose)
    _sequence(gateway)
    with gateway.store.read() as tx:
        feed = records.feed(tx, client.tenant_id, after, limit=limit)
        grounds = _grounds(gateway, tx, client.tenant_id, feed.changes)
        stored = records.of_cards(tx, sorted({each.card_id for each in feed.changes if each.kind == "changed"}))
    views: dict[tuple[str, str], Shown | Withheld] = {}
    touched = {(each.card_id, each.pointer) for each in feed.changes if each.kind == "changed"}
    for sub, ground in grounds.items():
        mine = [value for value in stored if value.sub == sub and (value.card_id, value.pointer) in touched]
        shown, withheld = _released(gateway, ground, use, _visible(client, ground, mine), client_id=client.id)
        views |= {(each.stored.card_id, each.stored.pointer): each for each in shown}
        views |= {(each.stored.card_id, each.stored.pointer): each for each in withheld}
    seen = tuple(
        _change_view(each, views.get((each.card_id, each.pointer)))
        for each in feed.changes
        if each.sub in grounds and _may_see(client, grounds[each.sub], each.connection_id)
    )
    return FeedView(seen, feed.position, feed.more)


def _sequence(gateway: Gateway) -> None:
    """Give what was committed its place before reading, so that a caller sees their own change at once."""
    with gateway.store.read() as tx:
        if not records.changes_wait(tx):
            return
    while True:
        with gateway.store.transaction() as tx:
            if not records.sequence_changes(tx):
                return


def _grounds(gateway: Gateway, tx: Transaction, tenant_id: str, changes: Sequence[Change]) -> dict[str, Ground]:
    found = {}
    for sub in sorted({each.sub for each in changes}):
        try:
            found[sub] = ground_of(gateway, tx, tenant_id, sub)
        except NotFound:
            continue
    return found


def _change_view(change: Change, found: Shown | Withheld | None) -> ChangeView:
    if change.kind != "changed":
        return ChangeView(change)
    return ChangeView(
        change,
        found if isinstance(found, Shown) else None,
        found if isinstance(found, Withheld) else None,
    )


def _use(client: Client, purpose: Purpose) -> Use:
    if purpose.value not in client.purposes:
        raise Forbidden("purpose_not_granted", f"This client was not granted the purpose {purpose.value}.")
    return Use(Action.USE, Recipient.US, purpose)


def _visible(client: Client, ground: Ground, stored: Iterable[SealedValue]) -> list[SealedValue]:
    return [value for value in stored if _may_see(client, ground, value.imported_from)]


def _may_see(client: Client, ground: Ground, connection_id: str | None) -> bool:
    """Whether something of this connection exists for the client: its integrations decide, as with connections."""
    if connection_id is None or not client.integrations:
        return True
    connection = ground.connections.get(connection_id)
    return connection is not None and client.may_use(connection.integration_id)


def _released(
    gateway: Gateway, ground: Ground, use: Use, stored: Sequence[SealedValue], *, client_id: str | None
) -> tuple[list[Shown], list[Withheld]]:
    """Decide once for all values that stand alike, and let go what is allowed."""
    groups: dict[int, tuple[Decision, list[SealedValue]]] = {}
    for value in stored:
        decision = decision_on(gateway, ground, use, value)
        groups.setdefault(id(decision), (decision, []))[1].append(value)
    shown: list[Shown] = []
    withheld: list[Withheld] = []
    for decision, alike in groups.values():
        if not decision.allowed:
            withheld += [Withheld(value, decision.clause, decision.explanation) for value in alike]
            continue
        entries = _entries(ground, use, decision, alike, client_id)
        opened = release(
            decision,
            record=lambda written=entries: _record(gateway, written),  # type: ignore[misc]  # bound now, not at the call
            opened=lambda sealed=alike: _opened(gateway, sealed),  # type: ignore[misc]  # the same
        )
        for value, plain in opened:
            if isinstance(plain, _DoesNotOpen):
                withheld.append(Withheld(value, "", _UNREADABLE))
            else:
                shown.append(Shown(value, plain, decision.clause))
    return shown, withheld


class _DoesNotOpen:
    """Stands for a value whose seal, key or place is not right."""


def _opened(gateway: Gateway, stored: Sequence[SealedValue]) -> list[tuple[SealedValue, Any]]:
    keys: dict[tuple[Owner, int], DataKey | None] = {}
    found: list[tuple[SealedValue, Any]] = []
    with gateway.store.read() as tx:
        for value in stored:
            named = (value.owner, value.key_epoch)
            if named not in keys:
                keys[named] = _key(gateway, tx, value)
            key = keys[named]
            found.append((value, _DoesNotOpen() if key is None else _plain(key, value)))
    return found


def _key(gateway: Gateway, tx: Transaction, stored: SealedValue) -> DataKey | None:
    try:
        return gateway.vault.key(tx, stored.owner, stored.key_epoch)
    except (KeyDestroyed, KeyUnknown):
        return None


def _plain(key: DataKey, stored: SealedValue) -> Any:
    try:
        return open_value(key, stored)
    except (VaultError, ValueError) as error:
        _log.error("records.value_does_not_open", record=stored.id, error=type(error).__name__)
        return _DoesNotOpen()


def _record(gateway: Gateway, entries: Sequence[Entry]) -> None:
    with gateway.store.transaction() as tx:
        append_all(tx, entries)


def _entries(
    ground: Ground, use: Use, decision: Decision, stored: Sequence[SealedValue], client_id: str | None
) -> list[Entry]:
    """One entry per category, source and connection: who gets how many of what, under which clause."""
    counts: dict[tuple[str, str, str | None], int] = {}
    for value in stored:
        kind = (value.tags.category.value, value.tags.source.value, value.imported_from)
        counts[kind] = counts.get(kind, 0) + 1
    return [
        Entry(
            EntryKind.RELEASE,
            ground.user.tenant_id,
            ground.user.pseudonym,
            {
                "client": client_id,
                "connection": connection,
                "use": use.action.value,
                "recipient": use.recipient.value,
                "purpose": use.purpose.value,
                "clause": decision.clause,
                "policy_version": decision.version,
                "categories": [category],
                "sources": [source],
                "count": count,
            },
        )
        for (category, source, connection), count in sorted(counts.items(), key=str)
    ]


def _by_card(cards: Sequence[Card], shown: Sequence[Shown], withheld: Sequence[Withheld]) -> list[CardView]:
    views: dict[str, tuple[list[Shown], list[Withheld]]] = {card.id: ([], []) for card in cards}
    for one in shown:
        views[one.stored.card_id][0].append(one)
    for other in withheld:
        views[other.stored.card_id][1].append(other)
    return [CardView(card, tuple(views[card.id][0]), tuple(views[card.id][1])) for card in cards]
