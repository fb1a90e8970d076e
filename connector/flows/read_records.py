"""Reading what is held about a person, for a purpose: one decision for all values alike, the entry, then the plaintext.

What the policy refuses is left out and named with its clause. Private notes are for their writer alone; no app or
worker reads them by any purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector import records
from connector.clients import Client
from connector.flows.gateway import Gateway
from connector.flows.release_values import Shown, Withheld, released
from connector.flows.standings import Ground, ground_of
from connector.model.errors import Forbidden, NotFound
from connector.model.tags import Action, Purpose, Recipient, Use
from connector.records import Card, Change, SealedValue, compose
from connector.storage import Transaction


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
    shown, withheld = released(gateway, ground, use, stored, client_id=client.id)
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
    shown, withheld = released(gateway, ground, use, stored, client_id=client.id)
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
    shown, withheld = released(gateway, ground, use, stored, client_id=client.id)
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
    shown, withheld = released(gateway, ground, use, stored, client_id=None)
    orphans = sorted({value.card_id for value in stored} - {card.id for card in cards})
    ended = [Card(card_id, tenant_id, sub, "contact", None, None, None) for card_id in orphans]
    return _by_card([*cards, *ended], shown, withheld)


def read_typed_in(gateway: Gateway, tenant_id: str, sub: str) -> Mapping[str, Any]:
    """What the person typed in, for the person themselves: pointer → value. Raises NotFound for nobody."""
    with gateway.store.read() as tx:
        ground = ground_of(gateway, tx, tenant_id, sub)
        stored = records.given_values(tx, tenant_id, sub)
    use = Use(Action.SHOW, Recipient.OWNER, Purpose.ACCOUNT)
    shown, _ = released(gateway, ground, use, stored, client_id=None)
    return {one.stored.pointer: one.value for one in shown}


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
        shown, withheld = released(gateway, ground, use, _visible(client, ground, mine), client_id=client.id)
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


def _by_card(cards: Sequence[Card], shown: Sequence[Shown], withheld: Sequence[Withheld]) -> list[CardView]:
    views: dict[str, tuple[list[Shown], list[Withheld]]] = {card.id: ([], []) for card in cards}
    for one in shown:
        views[one.stored.card_id][0].append(one)
    for other in withheld:
        views[other.stored.card_id][1].append(other)
    return [CardView(card, tuple(views[card.id][0]), tuple(views[card.id][1])) for card in cards]
