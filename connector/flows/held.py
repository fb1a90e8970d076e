"""Everything about a person that is no value of a card, for their own copy: each table named, or named as left out.

`EXPORTED` and `LEFT_OUT` are the whole database: where a table is in the copy, or why it is not. A test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector import authorizations, clients, connections, inbox, ledger, people, records
from connector.flows.gateway import Gateway
from connector.flows.inbox_view import lying_in
from connector.model.instants import iso
from connector.people import User

# Table → the file of the export that says what it holds about the person.
EXPORTED: Final[Mapping[str, str]] = {
    "users": "account.json",
    "identities": "account.json",
    "connections": "connections.json",
    "adoptions": "activity.json",
    "cards": "contacts.json",
    "records": "contacts.json",
    "changes": "activity.json",
    "imports": "activity.json",
    "deliveries": "activity.json",
    "revocations": "activity.json",
    "authorizations": "activity.json",
    "portal_links": "activity.json",
    "portal_sessions": "activity.json",
    "access_tokens": "activity.json",
    "idempotency_keys": "activity.json",
    "consents": "consents.json",
    "consent_events": "consents.json",
    "ledger_entries": "activity.json",
    "receipts": "receipts/",
    "inbox_items": "inbox.json",
    "notices": "inbox.json",
    "stances": "stances.json",
    "mails": "inbox.json",
    "releases": "releases.json",
}

# Table → why it is not in the export. Credentials are never exported (clause 4); the rest is about nobody, or no data.
LEFT_OUT: Final[Mapping[str, str]] = {
    "connection_tokens": "credentials are never shown nor exported",
    "orphan_tokens": "credentials are never shown nor exported",
    "data_keys": "keys: what they open is in the export",
    "tenant_keys": "keys of the tenant",
    "vault_canaries": "proof that the keys fit; about nobody",
    "shred_ledger": "which keys were destroyed, by random ids",
    "rekey_jobs": "rotations of keys; about nobody",
    "signing_keys": "the gateway's own keys",
    "import_cursors": "a provider's bookmark for the next import; says nothing about the person",
    "refused_accounts": "keyed hashes of accounts whose owners have no account here",
    "child_accounts": "keyed hashes of children's accounts, and who approved: an adult's act, not the person's data",
    "forwardings": "erasures under way; exist only once the account is gone",
    "ledger_nodes": "hashes of the ledger's tree",
    "ledger_checkpoints": "signatures of the ledger's tree",
    "ledger_intents": "attempts under way, by ids of work that activity.json lists",
    "signals": "providers' signals by their own ids; their effect is in activity.json",
    "client_assertions": "apps' own proofs of who they are",
    "client_secrets": "apps' secrets",
    "clients": "apps",
    "tenants": "products",
    "integrations": "products' registrations at providers",
    "policy_announcements": "differences between versions of the policy; the words are in inbox.json",
    "key_rewrites": "when keys were rewritten; about nobody",
    "schema_marks": "the database's own notes about its shape",
    "policy_versions": "versions of the policy; each value names the one it was collected under",
    "refresh_outcomes": "how refreshes went, by integration; about nobody",
    "processes": "the gateway's own processes",
}


def everything_else(gateway: Gateway, user: User) -> dict[str, Any]:
    """File name without its ending → what it says."""
    tenant_id, sub = user.tenant_id, user.sub
    with gateway.store.read() as tx:
        stances = inbox.stances_of(tx, gateway.vault, tenant_id, sub)
        releases = [
            {
                "id": one.id,
                "at": iso(one.created_at),
                "to": f"{one.recipient}:{one.name}",
                "purpose": one.purpose,
                "fields": list(one.fields),
                "values": one.count,
                **inbox.terms_of_release(tx, gateway.vault, one),
            }
            for one in inbox.releases_of(tx, gateway.vault, tenant_id, sub)
        ]
        letters = inbox.letters_of(tx, tenant_id, sub)
        hidden = inbox.hidden_of(tx, tenant_id, sub)
        account = {
            "sub": sub,
            "age": user.age.value,
            "created_at": iso(user.created_at),
            "last_visit_at": iso(user.last_visit_at),
            "accounts": [
                {
                    "id": one.id,
                    "issuer": one.issuer,
                    "subject": people.subject_of(tx, gateway.vault, one),
                    "linked_at": iso(one.created_at),
                }
                for one in people.identities_of(tx, gateway.vault, tenant_id, sub)
            ],
        }
        held = connections.of_user(tx, gateway.vault, tenant_id, sub)
        activity = {
            "moved_in": [
                _plain(found) for one in held if (found := connections.adoption_of(tx, gateway.vault, one.id))
            ],
            "imports": [
                {**_plain(row), "connection": one.id}
                for one in held
                for row in records.imports_of(tx, one.id, limit=_ALL)
            ],
            "sent_on": [_plain(row) for row in records.deliveries_of_user(tx, tenant_id, sub, limit=_ALL)],
            "revocations": [_plain(row) for row in connections.revocations_of_user(tx, tenant_id, sub)],
            "changes": records.changes_of_person(tx, tenant_id, sub),
            "flows": authorizations.of_person(tx, tenant_id, sub),
            "own_pages": people.portal_of(tx, tenant_id, sub),
            "sign_ins": clients.access_tokens_of_user(tx, tenant_id, sub),
            "answers_kept_for_apps": clients.answers_about(tx, [sub, *(one.id for one in held)]),
            "ledger": [
                {"entry": one.id, "at": iso(one.at), "kind": one.kind, "facts": dict(one.facts)}
                for one in ledger.show(tx, user.pseudonym, _ALL, tenant_id=tenant_id)
                if one.facts.get("release") not in hidden
            ],
        }
    notices = [
        {
            "id": one.item.id,
            "kind": one.item.kind,
            "topic": one.item.topic,
            "title": one.title,
            "paragraphs": list(one.paragraphs),
            "posted_at": iso(one.item.posted_at),
            "closes_at": iso(one.item.closes_at),
            "state": one.window.value,
            "by_mail": letters.get(one.item.id),
        }
        for one in lying_in(gateway, tenant_id, sub)
    ]
    said = [
        {"toward": one.toward, "name": one.name, "said": one.stance, "by": one.by, "at": iso(one.updated_at)}
        for one in stances
    ]
    return {"account": account, "activity": activity, "inbox": notices, "stances": said, "releases": releases}


_ALL = 100_000
_SECRET = frozenset({"code", "idempotency_key", "tenant_id", "sub"})


def _plain(row: Any) -> dict[str, Any]:
    """A row as people read it: times as text, secrets and what every row says left out."""
    found = {name: getattr(row, name) for name in type(row).__dataclass_fields__ if name not in _SECRET}
    return {
        name: iso(value) if name.endswith("_at") else _word(value) for name, value in found.items() if name != "fence"
    }


def _word(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple | set | frozenset) else value
