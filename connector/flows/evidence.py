"""Evidence for the person: receipts whose every claim is committed to in the ledger.

A receipt about a revocation has versions: the first says what was ended and when, the last what the provider answered
and which keys are gone. Bodies lie sealed under the person's key; the one that outlives it holds nothing personal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.clients import published_keys, signing_key
from connector.connections import Connection, Revocation
from connector.flows import shredding
from connector.flows.gateway import Gateway
from connector.ledger import Draft, Entry, Kept, Signer, append, build, checkpoint, draft, keep, newest, sequence
from connector.ledger.kinds import Fact
from connector.ledger.receipt import reopen
from connector.ledger.receipts import by_id
from connector.model.errors import Gone, NotFound
from connector.model.ids import new_id
from connector.model.instants import iso
from connector.people import User
from connector.storage import Transaction
from providers import catalogue
from vault import Address, KeyDestroyed, KeyUnknown, Owner

SEQUENCED_AT_ONCE = 10_000

_OUTCOMES = {
    None: "still trying: the provider has not confirmed yet",
    "confirmed": "confirmed: the provider has ended the grant",
    "unsupported": "unsupported: this provider has no way to be told; remove the app in your account there",
    "shared": "shared: another connection of yours uses the same grant, so it was not ended there",
    "gave_up": "gave up: the provider did not confirm in time; remove the app in your account there",
}


@dataclass(frozen=True, slots=True)
class About:
    """What a receipt is about: its kind, the id of the thing, and whether more versions will come."""

    kind: str
    id: str
    status: str


def note_revocation(
    gateway: Gateway,
    tx: Transaction,
    asked: Revocation,
    connection: Connection,
    *,
    kind: str,
    attempt: int | None = None,
) -> str:
    """The next version of a revocation's receipt, and its ledger entry. Returns the receipt's id.

    `kind`: revoked (it was asked for) or revocation_outcome (the provider's part is over, in this attempt).
    """
    facts: dict[str, Fact] = {
        "connection": connection.id,
        "integration": connection.integration_id,
        "revocation": asked.id,
    }
    if kind == "revoked":
        facts |= {"asked_by": asked.asked_by, "reason": asked.reason, "data_key_due_at": asked.data_key_due_at}
    else:
        facts |= {"outcome": asked.outcome, "last_token_expires_at": asked.last_token_expires_at, "attempt": attempt}
    about = About("revocation", asked.id, "final" if asked.told else "trying")
    if connection.pseudonym is None:
        return _of_nobody(tx, connection, kind, {**facts, "status": about.status})
    body = _revocation_body(gateway, asked, connection) | shredding.told(gateway, tx, asked.token_key_destroyed_at)
    return keep_sealed(gateway, tx, connection, about=about, entry_kind=kind, facts=facts, body=body)


def note_erasure(gateway: Gateway, tx: Transaction, asked: Revocation, connection: Connection, *, keys: int) -> str:
    """The receipt that the key of the imported data is destroyed, and its ledger entry. Returns its id."""
    body = {
        "connection": connection.id,
        "provider": catalogue.entry(connection.provider).title,
        "what": "The key of everything that was imported through this connection was destroyed.",
        "keys_destroyed": keys,
        "destroyed_at": iso(tx.now()),
        **shredding.told(gateway, tx, tx.now()),
    }
    facts: dict[str, Fact] = {
        "connection": connection.id,
        "revocation": asked.id,
        "owner_kind": "connection_data",
        "reason": asked.reason,
        "count": keys,
    }
    about = About("erasure", f"{asked.id}/data", "final")
    if connection.pseudonym is None:
        return _of_nobody(tx, connection, "key_destroyed", facts)
    return keep_sealed(gateway, tx, connection, about=about, entry_kind="key_destroyed", facts=facts, body=body)


def note_export(gateway: Gateway, tx: Transaction, user: User, *, export_id: str, digest: str, count: int) -> str:
    """The receipt of an export, and its ledger entry: which file left, by its hash. Returns the receipt's id."""
    body = {"what": "A copy of everything that is held was given to its owner.", "sha256": digest, "values": count}
    facts: dict[str, Fact] = {
        "use": "export",
        "recipient": "owner",
        "purpose": "account",
        "count": count,
        "clause": "5",
    }
    about = About("export", export_id, "final")
    return keep_sealed(gateway, tx, user, about=about, entry_kind="exported", facts=facts, body=body)


def note_release(gateway: Gateway, tx: Transaction, user: User, *, release_id: str, body: Mapping[str, Any]) -> str:
    """The receipt of what was given to somebody outside. Returns its id."""
    about = About("release", release_id, "final")
    return keep_sealed(gateway, tx, user, about=about, entry_kind="receipt", facts={"about": "release"}, body=body)


def keep_open(
    gateway: Gateway, tx: Transaction, *, tenant_id: str, sub: str, about: str, entry: Entry, body: Mapping[str, Any]
) -> str:
    """A receipt that outlives the person's key: its body is kept as it is and must hold nothing personal."""
    receipt_id = new_id("rcp")
    made = draft({**_head(gateway, tx, About("erasure", about, "final"), receipt_id, 1), **body})
    facts: dict[str, Fact] = {**entry.facts, "receipt": receipt_id, "receipt_version": 1, "commitment": made.commitment}
    entry_id = append(tx, Entry(entry.kind, tenant_id, entry.pseudonym, facts))
    keep(
        tx,
        id=receipt_id,
        tenant_id=tenant_id,
        sub=sub,
        kind="erasure",
        about=about,
        version=1,
        status="final",
        ledger_entry_id=entry_id,
        body=made.sealed_form().decode(),
    )
    return receipt_id


def receipt_file(
    gateway: Gateway, tenant_id: str, receipt_id: str, *, sub: str | None = None, kind: str | None = None
) -> bytes:
    """The receipt as a file that verifies offline. Sequences and signs the ledger where that has not happened yet.

    Raises:
        NotFound: no such receipt of this tenant (of this person or kind, where they are given).
        Gone: the person was erased, and the receipt with them.
    """
    with gateway.store.transaction() as tx:
        kept = by_id(tx, tenant_id, receipt_id)
        if kept is None or sub not in {None, kept.sub} or kind not in {None, kept.kind}:
            raise NotFound("receipt")
        made = _reopened(gateway, tx, kept)
        sign_ledger(gateway, tx)
        signer = Signer.of(signing_key(tx, gateway.vault, "receipt").private_bytes())
        ledger_keys = [_plain_jwk(jwk) for jwk in published_keys(tx, gateway.vault, "ledger")]
        return build(tx, made, kept.ledger_entry_id, signer, ledger_keys)


def sign_ledger(gateway: Gateway, tx: Transaction) -> str:
    """Give every waiting entry its place and sign the tree; the checkpoint's note."""
    while sequence(tx, SEQUENCED_AT_ONCE) == SEQUENCED_AT_ONCE:
        pass
    signer = Signer.of(signing_key(tx, gateway.vault, "ledger").private_bytes())
    return checkpoint(tx, signer, origin(gateway))


def origin(gateway: Gateway) -> str:
    """The name of this ledger toward others: the public host and a path."""
    return f"{gateway.settings.server.public_url.split('://', 1)[-1]}/ledger"


def _of_nobody(tx: Transaction, connection: Connection, kind: str, facts: dict[str, Fact]) -> str:
    """The person was erased: the ledger says what happened, and there is nobody to have a receipt."""
    append(tx, Entry(kind, connection.tenant_id, None, facts))
    return ""


def keep_sealed(
    gateway: Gateway,
    tx: Transaction,
    whose: Connection | User,
    *,
    about: About,
    entry_kind: str,
    facts: dict[str, Fact],
    body: Mapping[str, Any],
) -> str:
    """The next version of a receipt, under the person's key, and the ledger entry that commits to it; its id."""
    before = newest(tx, about.id)
    version = 1 if before is None else before.version + 1
    receipt_id = new_id("rcp")
    made = draft({**_head(gateway, tx, about, receipt_id, version), **body})
    committed: dict[str, Fact] = {
        "receipt": receipt_id,
        "receipt_version": version,
        "commitment": made.commitment,
        "status": about.status,
    }
    entry_id = append(tx, Entry(entry_kind, whose.tenant_id, whose.pseudonym, {**facts, **committed}))
    key = gateway.vault.key(tx, Owner(whose.tenant_id, "user", whose.sub))
    address = _address(whose.tenant_id, whose.sub, receipt_id)
    keep(
        tx,
        id=receipt_id,
        tenant_id=whose.tenant_id,
        sub=whose.sub,
        kind=about.kind,
        about=about.id,
        version=version,
        status=about.status,
        ledger_entry_id=entry_id,
        sealed=key.seal(address, made.sealed_form(), generation=version),
        key_epoch=key.epoch,
    )
    return receipt_id


def _reopened(gateway: Gateway, tx: Transaction, kept: Kept) -> Draft:
    if kept.sealed is None:
        return reopen((kept.body or "").encode())
    try:
        key = gateway.vault.key(tx, Owner(kept.tenant_id, "user", kept.sub), kept.key_epoch)
    except (KeyDestroyed, KeyUnknown) as error:
        raise Gone("erased", "This receipt was erased with the person it was for.") from error
    return reopen(key.open(_address(kept.tenant_id, kept.sub, kept.id), kept.sealed, generation=kept.version))


def _head(gateway: Gateway, tx: Transaction, about: About, receipt_id: str, version: int) -> dict[str, Any]:
    controller = gateway.settings.policy.controller
    return {
        "id": receipt_id,
        "version": version,
        "status": about.status,
        "kind": about.kind,
        "about": about.id,
        "issued_at": iso(tx.now()),
        "issuer": gateway.settings.server.public_url,
        "controller": {"name": controller.name, "contact": controller.contact},
    }


def _revocation_body(gateway: Gateway, asked: Revocation, connection: Connection) -> dict[str, Any]:
    return {
        "connection": connection.id,
        "provider": catalogue.entry(connection.provider).title,
        "asked_by": asked.asked_by,
        "ended_at": iso(asked.created_at),
        "handouts": "None since ended_at.",
        "last_token_expires_at": iso(asked.last_token_expires_at),
        "provider_outcome": asked.outcome or "trying",
        "provider_outcome_in_words": _OUTCOMES[asked.outcome],
        "confirmed_at": iso(asked.confirmed_at),
        "token_key_destroyed_at": iso(asked.token_key_destroyed_at),
        "imported_data_key_destroyed_at": iso(asked.data_key_destroyed_at),
        "imported_data_key_destroyed_by": iso(asked.data_key_due_at),
        "status_page": f"{gateway.settings.server.public_url}/deletions/{asked.code}",
    }


def _address(tenant_id: str, sub: str, receipt_id: str) -> Address:
    return Address(tenant_id, "user", sub, "", f"receipts/{receipt_id}")


def _plain_jwk(jwk: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in jwk.items()}
