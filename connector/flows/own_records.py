"""What the person does with what is theirs: a contact deleted, a private note written or removed."""

from __future__ import annotations

from collections.abc import Mapping

from connector import records
from connector.clients import Client
from connector.flows.gateway import Gateway
from connector.flows.release import decided
from connector.flows.standings import Ground, careful, ground_of
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.ledger.kinds import Fact
from connector.model.errors import BadInput, NotFound
from connector.model.tags import Category, Choice, Link, Notice, Source, Standing, Tags, Use
from connector.policy import Decision
from connector.records import Card, Origin
from connector.storage import Transaction

MAX_NOTE = 8 * 1024
_WRITE = Use.of("collect", "us", "service")
_NOTE = Tags(Category.NOTE, Source.GIVEN)


def delete_contact(gateway: Gateway, client: Client, sub: str, card_id: str) -> None:
    """The person deletes a contact; no import brings it back. Raises NotFound."""
    with gateway.store.transaction() as tx:
        ground, card = _contact(gateway, tx, client, sub, card_id)
        records.remove_contact(tx, client.tenant_id, sub, card.id)
        _note_in_ledger(tx, ground, client, {"action": "delete_contact", "categories": ["people"], "count": 1})


def put_note(gateway: Gateway, client: Client, sub: str, card_id: str, text: str) -> None:
    """The person's private note on a contact. It is sealed under their own key and never leaves but to them.

    Raises:
        NotFound: no such contact. BadInput: no text, or too much. RefusedByPolicy: as the clause says.
    """
    if not 0 < len(text) <= MAX_NOTE or "\0" in text:
        raise BadInput("bad_note", f"note is text of 1 to {MAX_NOTE} characters.")
    with gateway.store.transaction() as tx:
        ground, card = _contact(gateway, tx, client, sub, card_id)
        decision = _may_write(gateway, ground)
        key = gateway.vault.key(tx, ground.user.owner)
        records.put_note(tx, card, key, text, (careful(_NOTE, ground.user), Origin(decision.version)))
        facts: dict[str, Fact] = {
            "action": "put_note",
            "categories": ["note"],
            "clause": decision.clause,
            "policy_version": decision.version,
            "count": 1,
        }
        _note_in_ledger(tx, ground, client, facts)


def delete_note(gateway: Gateway, client: Client, sub: str, card_id: str) -> None:
    """Remove the note. Raises NotFound where there is no such contact, or no note on it."""
    with gateway.store.transaction() as tx:
        ground, card = _contact(gateway, tx, client, sub, card_id)
        if not records.remove_note(tx, card):
            raise NotFound("note")
        _note_in_ledger(tx, ground, client, {"action": "delete_note", "categories": ["note"], "count": 1})


def _contact(gateway: Gateway, tx: Transaction, client: Client, sub: str, card_id: str) -> tuple[Ground, Card]:
    ground = ground_of(gateway, tx, client.tenant_id, sub)
    card = records.find_card(tx, client.tenant_id, sub, card_id, kind="contact")
    source = ground.connections.get(card.connection_id or "") if card is not None else None
    if card is None or (source is not None and not client.may_use(source.integration_id)):
        raise NotFound("contact")
    return ground, card


def _may_write(gateway: Gateway, ground: Ground) -> Decision:
    user = ground.user
    standing = Standing(user.account, Link.NONE, Choice.NONE, Notice.NONE)
    tags = careful(_NOTE, user)
    return decided(gateway.policy, _WRITE, tags, standing, at=ground.at, bound_at=user.last_visit_at)


def _note_in_ledger(tx: Transaction, ground: Ground, client: Client, facts: Mapping[str, Fact]) -> None:
    user = ground.user
    append(tx, Entry(EntryKind.RECORDS_CHANGED, user.tenant_id, user.pseudonym, {"client": client.id, **facts}))
