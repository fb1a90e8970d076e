"""A copy of everything for its owner: one zip that people and programs can read, with a hash of each file.

    decisions and their ledger entries → values opened → files → receipt with the zip's hash → bytes

Credentials are no part of it. What was imported stays in it after a revocation, until its key is destroyed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from connector import connections, consent, inbox, ledger, people
from connector.connections import Connection
from connector.flows import evidence, held
from connector.flows.disclosures import disclosures_of
from connector.flows.gateway import Gateway
from connector.flows.read_records import CardView, read_for_owner
from connector.flows.release_values import Shown
from connector.model.errors import NotFound
from connector.model.ids import new_id
from connector.model.instants import iso
from connector.model.tags import Account, Action
from connector.people import User
from connector.records import NOTE_POINTER
from connector.records.vcard import full_name, vcard
from connector.storage import Transaction
from providers import catalogue

DISCLOSURES = 100_000
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip knows: the same content is the same file
_COLUMNS = (
    "Name",
    "Given Name",
    "Family Name",
    "Nickname",
    "Birthday",
    "Notes",
    "E-mail 1 - Value",
    "E-mail 2 - Value",
    "Phone 1 - Value",
    "Phone 2 - Value",
    "Address 1 - Formatted",
    "Organization 1 - Name",
    "Organization 1 - Title",
    "Website 1 - Value",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_README = """Everything that is kept about you here.

profile.json, contacts.json   each value with where it came from, its tags and the clause it is kept under
profile.vcf, contacts.vcf     the same as vCard 4.0, for address books
contacts.csv                  the same as a table; a cell that begins like a formula has an apostrophe before it
notes.json                    your private notes
consents.json                 what you agreed to, as records by ISO/IEC TS 27560
connections.json              your connected accounts, without any password or token
disclosures.json              who got what, when, and under which clause
inbox.json                    what you were told, and where each notice stands
stances.json                  your standing yes or no toward others and toward mail
releases.json                 what was given to somebody outside, by whom and why
account.json                  your account itself, and the accounts that you are recognised by
activity.json                 imports, what was sent on, revocations, sign-ins, sessions, and the ledger about you
receipts/                     receipts that can be checked offline: connector receipts verify FILE
manifest.json                 the SHA-256 of each file
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """The file, its hash, and the receipt that says that it left."""

    content: bytes
    sha256: str
    receipt_id: str


def export_user(gateway: Gateway, tenant_id: str, sub: str) -> Exported:
    """Everything that is held about a person, for that person.

    Raises:
        NotFound: no such user, or a deleted one.
    """
    with gateway.store.read() as tx:
        user = people.find_user(tx, gateway.vault, tenant_id, sub)
    if user is None or user.account is not Account.OPEN:
        raise NotFound("user", code="unknown_user")
    views = read_for_owner(gateway, tenant_id, sub, Action.EXPORT)
    content = _zipped(_files(gateway, user, views))
    digest = hashlib.sha256(content).hexdigest()
    count = sum(len(view.shown) for view in views)
    with gateway.store.transaction() as tx:
        receipt_id = evidence.note_export(gateway, tx, user, export_id=new_id("rcp"), digest=digest, count=count)
    return Exported(content, digest, receipt_id)


def _files(gateway: Gateway, user: User, views: Sequence[CardView]) -> dict[str, bytes]:
    own = [view for view in views if view.card is not None and view.card.kind == "self"]
    contacts = [view for view in views if view not in own]
    files = {
        "README.txt": _README.encode(),
        "profile.json": _json([_card(view) for view in own]),
        "contacts.json": _json([_card(view) for view in contacts]),
        "notes.json": _json([_note(view, note) for view in contacts for note in view.shown if _is_note(note)]),
        "profile.vcf": "".join(_vcard(view) for view in own).encode(),
        "contacts.vcf": "".join(_vcard(view) for view in contacts).encode(),
        "contacts.csv": contacts_csv([_composed(view) for view in contacts]).encode("utf-8-sig"),
        "disclosures.json": _json(_disclosures(gateway, user)),
    }
    files |= {f"{name}.json": _json(found) for name, found in held.everything_else(gateway, user).items()}
    with gateway.store.read() as tx:
        files["consents.json"] = _json(_consents(gateway, tx, user))
        files["connections.json"] = _json(_connections(gateway, tx, user))
        hidden = inbox.hidden_of(tx, user.tenant_id, user.sub)
        receipts = [one for one in ledger.of_person(tx, user.tenant_id, user.sub) if one.about not in hidden]
    for kept in receipts:
        name = f"receipts/{kept.kind}-{kept.id}-v{kept.version}.json"
        files[name] = evidence.receipt_file(gateway, user.tenant_id, kept.id, sub=user.sub)
    return files


def _zipped(files: Mapping[str, bytes]) -> bytes:
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*files.items(), ("manifest.json", _json({"sha256": manifest}))]:
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _card(view: CardView) -> dict[str, Any]:
    return {
        "id": None if view.card is None else view.card.id,
        "card": _composed(view),
        "values": [_value(each) for each in view.shown if not _is_note(each)],
        "withheld": [
            {"pointer": each.stored.pointer, "clause": each.clause, "reason": each.reason} for each in view.withheld
        ],
    }


def _composed(view: CardView) -> dict[str, Any]:
    """The card without the older copies: they stand among the values, marked as such."""
    current = tuple(each for each in view.shown if each.stored.tags.revision == "current")
    return CardView(view.card, current, ()).composed


def _value(shown: Shown) -> dict[str, Any]:
    stored = shown.stored
    tags = stored.tags
    return {
        "pointer": stored.pointer,
        "value": shown.value,
        "tags": {
            "category": tags.category.value,
            "source": tags.source.value,
            "visibility": tags.visibility.value,
            "revision": tags.revision.value,
        },
        "origin": asdict(stored.origin),
        "collected_at": iso(stored.collected_at),
        "kept_until": iso(stored.expires_at),
        "clause": shown.clause,
    }


def _is_note(shown: Shown) -> bool:
    return shown.stored.pointer == NOTE_POINTER


def _note(view: CardView, shown: Shown) -> dict[str, Any]:
    return {"contact": shown.stored.card_id, "about": full_name(_composed(view)), **_value(shown)}


def _vcard(view: CardView) -> str:
    return "" if view.card is None or not view.shown else vcard(_composed(view), f"urn:gateway:{view.card.id}")


def contacts_csv(cards: Sequence[Mapping[str, Any]]) -> str:
    """Contacts as a table with the headings that address books know. No cell begins like a formula."""
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for card in cards:
        writer.writerow([harmless(cell) for cell in _row(card)])
    return written.getvalue()


def harmless(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) or cell.startswith(_FORMULA) else cell


def _row(card: Mapping[str, Any]) -> list[str]:
    emails, phones = _all(card, "emails", "address"), _all(card, "phones", "number")
    parts = {part.get("kind"): str(part.get("value", "")) for part in (card.get("name") or {}).get("components", ())}
    return [
        full_name(card),
        parts.get("given", ""),
        parts.get("surname", ""),
        _first(_all(card, "nicknames", "name")),
        _birthday(card),
        "\n".join(_all(card, "notes", "note")),
        *_two(emails),
        *_two(phones),
        _first([_place(value) for value in (card.get("addresses") or {}).values()]),
        _first(_all(card, "organizations", "name")),
        _first(_all(card, "titles", "name")),
        _first(_all(card, "links", "uri")),
    ]


def _all(card: Mapping[str, Any], head: str, member: str) -> list[str]:
    return [str(value[member]) for value in (card.get(head) or {}).values() if value.get(member)]


def _first(values: Sequence[str]) -> str:
    return values[0] if values else ""


def _two(values: Sequence[str]) -> tuple[str, str]:
    return _first(values), _first(values[1:])


def _place(value: Mapping[str, Any]) -> str:
    listed = [str(part.get("value", "")) for part in value.get("components") or ()]
    return str(value.get("full") or ", ".join(filter(None, listed)))


def _birthday(card: Mapping[str, Any]) -> str:
    for value in (card.get("anniversaries") or {}).values():
        date = value.get("date") or {}
        if value.get("kind") == "birth" and date.get("month"):
            return f"{date.get('year') or '-'}-{date['month']:02}-{date.get('day') or 1:02}".removeprefix("-")
    return ""


def _consents(gateway: Gateway, tx: Transaction, user: User) -> list[dict[str, Any]]:
    given = consent.of_user(tx, gateway.vault, user.tenant_id, user.sub)
    return [
        {**consent.record_of(tx, gateway.vault, one), "choice": one.choice.value, "connection": one.connection_id}
        for one in given
    ]


def _connections(gateway: Gateway, tx: Transaction, user: User) -> list[dict[str, Any]]:
    names = {
        one.id: people.subject_of(tx, gateway.vault, one)
        for one in people.identities_of(tx, gateway.vault, user.tenant_id, user.sub)
    }
    held = connections.of_user(tx, gateway.vault, user.tenant_id, user.sub)
    return [_connection(one, names.get(one.identity_id)) for one in held]


def _connection(connection: Connection, account: str | None) -> dict[str, Any]:
    return {
        "id": connection.id,
        "provider": catalogue.entry(connection.provider).title,
        "account": account,
        "issuer": connection.issuer,
        "state": connection.state.value,
        "granted_scopes": list(connection.granted_scopes),
        "connected_at": iso(connection.created_at),
        "last_authorized_at": iso(connection.authorized_at),
        "ended_at": iso(connection.revoked_at),
        "ended_by": connection.ended_by,
    }


def _disclosures(gateway: Gateway, user: User) -> list[dict[str, Any]]:
    found = disclosures_of(gateway, user.tenant_id, user.sub, limit=DISCLOSURES)
    return [{**asdict(one), "at": iso(one.at)} for one in found]


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
