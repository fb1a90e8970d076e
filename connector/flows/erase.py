"""A person's account is deleted: everything that is theirs goes, in one transaction, by its key first.

    handouts end, providers are told (their tokens live until then) → values, notes, choices, receipts, sessions, flows
    gone → the person's key destroyed → pseudonym forgotten → a receipt that names nobody

What remains is a closed list, kept in docs/deletion.md and in the receipt itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from connector import authorizations, clients, connections, consent, inbox, ledger, people
from connector.connections import Connection, Revocation
from connector.flows import evidence, forwarding, revoke, shredding
from connector.flows.forwarding import Sent
from connector.flows.gateway import Gateway
from connector.flows.post_notices import drop_files
from connector.ledger import Entry
from connector.ledger.kinds import Fact
from connector.model.errors import NotFound
from connector.model.instants import iso
from connector.model.states import Ended
from connector.model.tags import Account, Age
from connector.people import User
from connector.records import ending
from connector.storage import Transaction

REMAINS = (
    "An opaque user id that is marked as deleted, so that it is never given to somebody else.",
    "Ledger entries: what happened and when, by random words that lead to nobody any more.",
    "Until each provider has been told: its sealed tokens, so that it can be told.",
    "Status pages of revocations, with their state and nothing else.",
    "Backups that the operator made before, until they expire; a restored one destroys these keys again.",
    "Of a child's account: keyed hashes, so that it is not imported again, for as long as it may be one.",
    "Until agents, affiliates and acquirers were told to erase it, and a month longer: ids of what they were given.",
    "This receipt.",
)

_log = structlog.get_logger("erase")


@dataclass(frozen=True, slots=True)
class Erased:
    """What the caller learns. `status_codes` name the pages that say whether providers were told."""

    receipt_id: str
    connections: int
    status_codes: tuple[str, ...]
    sent: tuple[Sent, ...] = ()
    told: tuple[tuple[str, str], ...] = ()


def delete_user(
    gateway: Gateway, tenant_id: str, sub: str, by: Ended, *, clear: bool = False, insist: bool = False
) -> Erased:
    """Delete an account and everything that is its person's. Idempotent: who deletes twice gets the same receipt.

    `clear`: before that, clear at the providers what was sent on there, as far as they take it. `insist`: of a child's
    account, it stays refused whatever the provider says of their age.

    Raises:
        NotFound: no such user in this tenant.
    """
    sent = _sent_on(gateway, tenant_id, sub, clear=clear)
    letters: list[str] = []
    with gateway.store.transaction() as tx:
        user = people.find_user(tx, gateway.vault, tenant_id, sub)
        if user is None:
            raise NotFound("user", code="unknown_user")
        erased = (
            _before(tx, user)
            if user.account is Account.DELETED
            else _erase(gateway, tx, user, by, (sent, letters, insist))
        )
        tx.after_commit(gateway.wakeup.notify)
    drop_files(gateway, letters)
    if not gateway.store.scrub():
        _log.info("erase.log_busy", receipt=erased.receipt_id)
    return erased


def _before(tx: Transaction, user: User) -> Erased:
    kept = ledger.newest(tx, _about(user))
    if kept is None:
        raise NotFound("receipt", detail="a deleted account without its receipt")
    return Erased(kept.id, 0, ())


def _sent_on(gateway: Gateway, tenant_id: str, sub: str, *, clear: bool) -> list[Sent]:
    with gateway.store.read() as tx:
        user = people.find_user(tx, gateway.vault, tenant_id, sub)
    if user is None or user.account is not Account.OPEN:
        return []
    return forwarding.clear_sent(gateway, tenant_id, sub, clear=clear and user.age is not Age.CHILD)


def _erase(
    gateway: Gateway, tx: Transaction, user: User, by: Ended, before: tuple[list[Sent], list[str], bool]
) -> Erased:
    sent, letters, insist = before
    ended = _end_connections(gateway, tx, user, by)
    identities = people.identities_of(tx, gateway.vault, user.tenant_id, user.sub)
    for identity in identities:
        _refuse_child(gateway, tx, user, identity, insist=insist)
        people.unlink(tx, gateway.vault, identity)
    told = forwarding.forward_in(gateway, tx, user)
    letters += inbox.forget_person(tx, user.tenant_id, user.sub)
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
    people.mark_deleted(tx, gateway.vault, user)
    codes = tuple(each.code for each in ended)
    facts: dict[str, Fact] = {"by": by.value, "connections": len(ended), "keys": keys, "cards": cards}
    if user.age is Age.CHILD:
        facts["reason"] = "under_age"
    receipt_id = evidence.keep_open(
        gateway,
        tx,
        tenant_id=user.tenant_id,
        sub=user.sub,
        about=_about(user),
        entry=Entry("user_deleted", user.tenant_id, None, facts),
        body=_body(gateway, tx, by, keys=keys, codes=codes) | _passed_on(sent, told),
    )
    return Erased(receipt_id, len(ended), codes, tuple(sent), tuple(told))


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


def _refuse_child(gateway: Gateway, tx: Transaction, user: User, identity: people.Identity, *, insist: bool) -> None:
    """Of a child's account keyed hashes stay: it is not imported again, and a verified parent can let it in later."""
    if user.age is not Age.CHILD:
        return
    account = people.NewIdentity(
        identity.integration_id, "", identity.issuer, people.subject_of(tx, gateway.vault, identity)
    )
    people.remember_refused(tx, gateway.vault, user.tenant_id, account)
    kept_ms = int(gateway.settings.policy.retention.child_account.total_seconds() * 1000)
    people.remember_child(tx, gateway.vault, user, account, kept_ms=kept_ms, insist=insist)


def _passed_on(sent: list[Sent], told: list[tuple[str, str]]) -> dict[str, object]:
    """Who else hears of it, in words."""
    found: dict[str, object] = {}
    if sent:
        found["sent_on"] = [{"to": one.provider, "outcome": one.outcome, "in_words": one.words} for one in sent]
    if told:
        found["told_to_erase"] = [{"recipient": recipient, "name": title} for recipient, title in told]
    return found


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
        **shredding.told(gateway, tx, tx.now()),
        "remains": list(REMAINS),
        "status_pages": [f"{base}/deletions/{code}" for code in codes],
    }


def _about(user: User) -> str:
    return f"deletion/{user.sub}"
