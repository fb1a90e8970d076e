"""A person's account is deleted: everything that is theirs goes, in one transaction, by its key first.

    handouts end, providers are told (their tokens live until then) → values, notes, choices, receipts, sessions, flows
    gone → the person's key destroyed → pseudonym forgotten → a receipt that names nobody

What remains is a closed list, kept in docs/deletion.md and in the receipt itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from connector import authorizations, clients, connections, consent, ledger, people
from connector.connections import Connection, Revocation
from connector.flows import evidence, revoke
from connector.flows.gateway import Gateway
from connector.ledger import Entry
from connector.ledger.kinds import Fact
from connector.model.errors import NotFound
from connector.model.instants import iso
from connector.model.states import Ended
from connector.model.tags import Account
from connector.people import User
from connector.records import ending
from connector.storage import Transaction

REMAINS = (
    "An opaque user id that is marked as deleted, so that it is never given to somebody else.",
    "Ledger entries: what happened and when, by random words that lead to nobody any more.",
    "Until each provider has been told: its sealed tokens, so that it can be told.",
    "Status pages of revocations, with their state and nothing else.",
    "Backups that the operator made before, until they expire; a restored one destroys these keys again.",
    "Of a child's account: a keyed hash, so that it is not imported again.",
    "This receipt.",
)

_log = structlog.get_logger("erase")


@dataclass(frozen=True, slots=True)
class Erased:
    """What the caller learns. `status_codes` name the pages that say whether providers were told."""

    receipt_id: str
    connections: int
    status_codes: tuple[str, ...]


def delete_user(gateway: Gateway, tenant_id: str, sub: str, by: Ended) -> Erased:
    """Delete an account and everything that is its person's. Idempotent: who deletes twice gets the same receipt.

    Raises:
        NotFound: no such user in this tenant.
    """
    with gateway.store.transaction() as tx:
        user = people.find_user(tx, tenant_id, sub)
        if user is None:
            raise NotFound("user", code="unknown_user")
        erased = _before(tx, user) if user.account is Account.DELETED else _erase(gateway, tx, user, by)
        tx.after_commit(gateway.wakeup.notify)
    if not gateway.store.scrub():
        _log.info("erase.log_busy", receipt=erased.receipt_id)
    return erased


def _before(tx: Transaction, user: User) -> Erased:
    kept = ledger.newest(tx, _about(user))
    if kept is None:
        raise NotFound("receipt", detail="a deleted account without its receipt")
    return Erased(kept.id, 0, ())


def _erase(gateway: Gateway, tx: Transaction, user: User, by: Ended) -> Erased:
    ended = _end_connections(gateway, tx, user, by)
    identities = people.identities_of(tx, gateway.vault, user.tenant_id, user.sub)
    for identity in identities:
        people.unlink(tx, gateway.vault, identity)
    cards = ending.forget_person(tx, user.tenant_id, user.sub)
    consent.forget_person(tx, user.tenant_id, user.sub)
    ledger.forget_person(tx, user.tenant_id, user.sub)
    people.forget_portal(tx, user.tenant_id, user.sub)
    clients.revoke_access_tokens_of_user(tx, user.tenant_id, user.sub)
    clients.forget_answers(tx, user.sub)
    authorizations.forget_person(tx, gateway.vault, user.tenant_id, user.sub)
    keys = gateway.vault.destroy(tx, user.owner)
    connections.forget_person(tx, user.tenant_id, user.sub)
    _forget_identities(gateway, tx, user)
    people.mark_deleted(tx, user)
    codes = tuple(each.code for each in ended)
    facts: dict[str, Fact] = {"by": by.value, "connections": len(ended), "keys": keys, "cards": cards}
    receipt_id = evidence.keep_open(
        gateway,
        tx,
        tenant_id=user.tenant_id,
        sub=user.sub,
        about=_about(user),
        entry=Entry("user_deleted", user.tenant_id, None, facts),
        body=_body(gateway, tx, by, keys=keys, codes=codes),
    )
    return Erased(receipt_id, len(ended), codes)


def _end_connections(gateway: Gateway, tx: Transaction, user: User, by: Ended) -> list[Revocation]:
    """Revoke each, destroy what it imported at once; the provider is told by the worker."""
    found: list[Revocation] = []
    for connection in connections.of_user(tx, gateway.vault, user.tenant_id, user.sub):
        asked = _end(gateway, tx, connection, by)
        clients.forget_answers(tx, connection.id)
        if asked.data_key_destroyed_at is None:
            revoke.destroy_data(gateway, tx, asked)
        if not asked.told:
            found.append(asked)
    return found


def _end(gateway: Gateway, tx: Transaction, connection: Connection, by: Ended) -> Revocation:
    return revoke.revoke_in(gateway, tx, connection, by=by, reason="deleted", erase_now=True).revocation


def _forget_identities(gateway: Gateway, tx: Transaction, user: User) -> None:
    """An identity outlives the person only until the provider has been told, so that a shared grant is spared."""
    for identity in people.unlinked_of(tx, gateway.vault, user.tenant_id, user.sub):
        people.blank(tx, identity)
        if connections.newest_of_identity(tx, gateway.vault, identity.id) is None:
            people.forget_identity(tx, identity.id)


def _body(gateway: Gateway, tx: Transaction, by: Ended, *, keys: int, codes: tuple[str, ...]) -> dict[str, object]:
    base = gateway.settings.server.public_url
    return {
        "what": "An account and everything that was kept for it were deleted, and its keys destroyed.",
        "asked_by": by.value,
        "deleted_at": iso(tx.now()),
        "keys_destroyed": keys,
        "remains": list(REMAINS),
        "status_pages": [f"{base}/deletions/{code}" for code in codes],
    }


def _about(user: User) -> str:
    return f"deletion/{user.sub}"
