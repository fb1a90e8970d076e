"""Deleting an account leaves a closed list and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector import connections
from connector.flows import erase, evidence, export, import_records, revoke
from connector.flows.edit_profile import edit_profile
from connector.flows.own_records import put_note
from connector.ledger import verify_file
from connector.model.errors import NotFound
from connector.model.states import Ended
from connector.people import NewLink, make_link
from connector.storage.schema import metadata
from tests.flows.test_revoke import trusted
from tests.gateways import api_token, bearer
from tests.signing_up import Town
from vault import KeyDestroyed, Owner

CANARY = "Canary Wharfinger 7261"
GONE = (
    "cards",
    "records",
    "consents",
    "consent_events",
    "deliveries",
    "imports",
    "import_cursors",
    "portal_links",
    "portal_sessions",
    "authorizations",
)


def settled(town: Town) -> str:
    """A person with everything that can be kept; their sub."""
    sub = str(town.sign_up("ada")["claims"]["sub"])
    while import_records.step(town.gateway):
        pass
    client = town.house.web
    edit_profile(town.gateway, client, sub, {"nicknames": {"n": {"name": CANARY}}})
    edit_profile(town.gateway, client, sub, {"nicknames": {"n": {"name": f"{CANARY} II"}}})
    contact = next(row for row in town.rows("cards") if row["kind"] == "contact")
    put_note(town.gateway, client, sub, contact["id"], f"owes me {CANARY}")
    with town.gateway.store.transaction() as tx:
        make_link(
            tx, town.gateway.vault, NewLink(town.house.tenant.id, client.id, sub, "http://127.0.0.1:8070/account")
        )
    return sub


def deleted(town: Town, sub: str) -> erase.Erased:
    return erase.delete_user(town.gateway, town.house.tenant.id, sub, Ended.PERSON)


def test_one_transaction_takes_everything_that_is_theirs(town: Town) -> None:
    sub = settled(town)
    deleted(town, sub)
    assert town.how_many(*GONE) == dict.fromkeys(GONE, 0)
    assert [row for row in town.rows("access_tokens") if row["sub"] == sub] == []
    user = town.rows("users")[0]
    assert (user["account"], user["pseudonym"]) == ("deleted", None)
    with town.gateway.store.read() as tx, pytest.raises(KeyDestroyed):
        town.gateway.vault.key(tx, Owner(town.house.tenant.id, "user", sub))


def test_answers_kept_for_repeated_requests_about_them_go_and_others_stay(town: Town) -> None:
    ada, bo = (town.sign_up(person) for person in ("ada", "bo"))
    http, headers = town.app.test_client(), bearer(api_token(town.app, town.house.web, town.house.web_secret))
    patch = {"nicknames": {"n": {"name": CANARY}}}
    for person, signed_up in (("ada", ada), ("bo", bo)):
        path = f"/v1/users/{signed_up['claims']['sub']}/profile"
        edited = http.patch(path, json=patch, headers=headers | {"Idempotency-Key": f"edit-{person}"})
        path = f"/v1/connections/{signed_up['connection']}/imports"
        asked = http.post(path, headers=headers | {"Idempotency-Key": f"import-{person}"})
        assert (edited.status_code, asked.status_code) == (200, 202)

    deleted(town, ada["claims"]["sub"])

    assert {row["key"] for row in town.rows("idempotency_keys")} == {"edit-bo", "import-bo"}


def test_the_data_keys_go_at_once_and_the_token_key_when_the_provider_was_told(town: Town) -> None:
    sub = settled(town)
    connection_id = town.rows("connections")[0]["id"]
    deleted(town, sub)
    with town.gateway.store.read() as tx:
        with pytest.raises(KeyDestroyed):
            town.gateway.vault.key(tx, Owner(town.house.tenant.id, "connection_data", connection_id))
        town.gateway.vault.key(tx, Owner(town.house.tenant.id, "connection_tokens", connection_id))
    revoke.tell_providers(town.gateway)
    assert town.egress.asked("/revoke")
    assert town.how_many("connections", "identities", "connection_tokens") == {
        "connections": 0,
        "identities": 0,
        "connection_tokens": 0,
    }
    with town.gateway.store.read() as tx, pytest.raises(KeyDestroyed):
        town.gateway.vault.key(tx, Owner(town.house.tenant.id, "connection_tokens", connection_id))


def test_nothing_leads_from_the_person_to_the_ledger_any_more(town: Town) -> None:
    sub = settled(town)
    pseudonym = town.rows("users")[0]["pseudonym"]
    deleted(town, sub)
    revoke.tell_providers(town.gateway)
    for table in ("users", "connections", "receipts", "revocations", "identities"):
        for row in town.rows(table):
            assert pseudonym not in row.values()
    assert {row["sub"] for row in town.rows("revocations")} == {""}
    entry = next(row for row in town.rows("ledger_entries") if row["kind"] == "user_deleted")
    assert entry["pseudonym"] is None


def test_the_receipt_stays_readable_names_nobody_and_verifies_offline(town: Town) -> None:
    sub = settled(town)
    erased = deleted(town, sub)
    built = evidence.receipt_file(town.gateway, town.house.tenant.id, erased.receipt_id)
    verdict = verify_file(built, trusted(town))
    assert verdict.valid
    assert verdict.body is not None
    assert list(verdict.body["remains"]) == list(erase.REMAINS)
    text = json.dumps(dict(verdict.body))
    for personal in (CANARY, "Ada", "ada@example.org"):
        assert personal not in text


def test_deleting_twice_is_deleting_once(town: Town) -> None:
    sub = settled(town)
    assert deleted(town, sub).receipt_id == deleted(town, sub).receipt_id
    assert len(town.entries("user_deleted")) == 1


def test_a_stranger_of_another_tenant_deletes_nobody(town: Town) -> None:
    sub = settled(town)
    with pytest.raises(NotFound):
        erase.delete_user(town.gateway, town.house.other_tenant.id, sub, Ended.APP)
    assert town.rows("users")[0]["account"] == "open"


def test_who_comes_back_after_deletion_is_somebody_new(town: Town) -> None:
    sub = settled(town)
    deleted(town, sub)
    again = town.sign_up("ada")
    assert again["claims"]["sub"] != sub
    revoke.tell_providers(town.gateway)
    assert not town.egress.asked("/revoke"), "the new connection shares the grant"
    with town.gateway.store.read() as tx:
        assert connections.find(tx, town.gateway.vault, town.house.tenant.id, again["connection"]) is not None


def test_a_connection_that_was_revoked_before_is_erased_with_the_account(town: Town) -> None:
    sub = settled(town)
    connection_id = town.rows("connections")[0]["id"]
    revoke.revoke(town.gateway, town.house.tenant.id, connection_id, by=Ended.PERSON)
    revoke.tell_providers(town.gateway)
    deleted(town, sub)
    assert town.how_many("connections", "identities") == {"connections": 0, "identities": 0}


def test_no_export_after_deletion(town: Town) -> None:
    sub = settled(town)
    deleted(town, sub)
    with pytest.raises(NotFound):
        export.export_user(town.gateway, town.house.tenant.id, sub)


def test_no_table_knows_the_person_but_by_the_marked_id(town: Town) -> None:
    sub = settled(town)
    pseudonym = town.rows("users")[0]["pseudonym"]
    deleted(town, sub)
    revoke.tell_providers(town.gateway)
    naming: dict[str, set[str]] = {word: set() for word in (sub, pseudonym, "Lindqvist", "ada@", CANARY)}
    for table in metadata.tables:
        for row in town.rows(table):
            for word, found in naming.items():
                if any(word in str(value) for value in row.values() if not isinstance(value, bytes)):
                    found.add(table)
    assert naming[sub] == {"users", "receipts", "data_keys", "shred_ledger"}
    assert naming[pseudonym] == {"ledger_entries"}
    assert naming["Lindqvist"] == naming["ada@"] == naming[CANARY] == set()


def bytes_on_disk(town: Town) -> bytes:
    file = Path(town.gateway.store.url.removeprefix("sqlite:///"))
    return b"".join(each.read_bytes() for each in sorted(file.parent.glob(f"{file.name}*")))


def test_not_one_byte_of_the_persons_rows_is_left_in_the_file(town: Town) -> None:
    if town.gateway.store.dialect != "sqlite":
        return  # PostgreSQL keeps old pages until VACUUM; the keys are what ends there
    sub = settled(town)
    pieces = [bytes(row["sealed"]) for row in town.rows("records")]
    pieces += [bytes(row["record"]) for row in town.rows("consents")]
    pieces += [
        bytes(row["wrapped"]) for row in town.rows("data_keys") if row["owner_kind"] in {"user", "connection_data"}
    ]
    before = bytes_on_disk(town)
    assert len(pieces) > 20
    assert all(piece in before for piece in pieces)
    assert CANARY.encode() not in before
    deleted(town, sub)
    after = bytes_on_disk(town)
    assert [piece for piece in pieces if piece in after] == []


def test_twin_without_scrubbing_the_log_still_holds_the_keys(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    if town.gateway.store.dialect != "sqlite":
        return
    sub = settled(town)
    keys = [bytes(row["wrapped"]) for row in town.rows("data_keys") if row["owner_kind"] == "user"]
    monkeypatch.setattr(type(town.gateway.store), "scrub", lambda _store: True)
    deleted(town, sub)
    assert [key for key in keys if key in bytes_on_disk(town)]
