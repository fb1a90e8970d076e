"""The owner's copy: everything but credentials, readable by people and programs."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from typing import Any

import pytest

from connector.flows import erase, evidence, export, import_records, revoke
from connector.flows.edit_profile import edit_profile
from connector.flows.fresh_token import Wanted, fresh_token
from connector.flows.own_records import put_note
from connector.ledger import verify_file
from connector.model.errors import NotFound
from connector.model.states import Ended
from connector.model.tags import Purpose
from tests.flows.test_revoke import trusted
from tests.records.vcards import parsed
from tests.signing_up import Town


def person(town: Town) -> str:
    sub = str(town.sign_up("ada")["claims"]["sub"])
    while import_records.step(town.gateway):
        pass
    edit_profile(town.gateway, town.house.web, sub, {"nicknames": {"n": {"name": "Countess"}}})
    contact = next(row for row in town.rows("cards") if row["kind"] == "contact")
    put_note(town.gateway, town.house.web, sub, contact["id"], "met at the mill")
    return sub


def files(town: Town, sub: str) -> dict[str, bytes]:
    content = export.export_user(town.gateway, town.house.tenant.id, sub).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def read(found: dict[str, bytes], name: str) -> Any:
    return json.loads(found[name])


def test_everything_that_is_held_is_in_it_with_where_it_came_from(town: Town) -> None:
    found = files(town, person(town))
    profile = read(found, "profile.json")
    values = [value for card in profile for value in card["values"]]
    given = [value for value in values if value["tags"]["source"] == "given"]
    imported = [value for value in values if value["tags"]["source"] == "imported"]
    assert given[0]["value"]["name"] == "Countess"
    assert imported
    assert all(value["origin"]["provider"] == "rehearsal" and value["origin"]["consent"] for value in imported)
    assert all(value["collected_at"] and value["clause"] == "5" for value in values)
    assert len(read(found, "contacts.json")) == sum(1 for row in town.rows("cards") if row["kind"] == "contact")
    assert read(found, "notes.json")[0]["value"]["note"] == "met at the mill"
    assert {one["choice"] for one in read(found, "consents.json")} == {"given"}
    assert read(found, "consents.json")[0]["schema"].startswith("https://w3id.org/dpv/schema/dpv-27560")
    assert read(found, "connections.json")[0]["account"]


def test_no_credential_is_in_it(town: Town) -> None:
    sub = person(town)
    connection_id = town.rows("connections")[0]["id"]
    handed = fresh_token(town.gateway, town.house.worker, Wanted(connection_id, Purpose.SERVICE))
    everything = b"".join(files(town, sub).values())
    assert handed.access_token.reveal().encode() not in everything
    assert b"refresh_token" not in everything
    assert b"rehearsal-secret" not in everything


def test_the_manifest_has_the_hash_of_every_file(town: Town) -> None:
    found = files(town, person(town))
    manifest = read(found, "manifest.json")["sha256"]
    assert set(manifest) == set(found) - {"manifest.json"}
    for name, digest in manifest.items():
        assert hashlib.sha256(found[name]).hexdigest() == digest


def test_each_vcard_reads_back_as_what_is_in_the_json(town: Town) -> None:
    found = files(town, person(town))
    cards = parsed(found["contacts.vcf"].decode())
    listed = [card for card in read(found, "contacts.json") if card["values"]]
    assert len(cards) == len(listed)
    addresses = {value["address"] for card in listed for value in (card["card"].get("emails") or {}).values()}
    assert addresses
    assert {value for card in cards for value in card.get("EMAIL", [])} == addresses


def test_the_ledger_has_the_entries_before_the_file_and_a_receipt_names_its_hash(town: Town) -> None:
    sub = person(town)
    exported = export.export_user(town.gateway, town.house.tenant.id, sub)
    assert hashlib.sha256(exported.content).hexdigest() == exported.sha256
    kinds = [row["kind"] for row in town.rows("ledger_entries")]
    assert kinds.index("release") < kinds.index("exported")
    built = evidence.receipt_file(town.gateway, town.house.tenant.id, exported.receipt_id, sub=sub)
    verdict = verify_file(built, trusted(town))
    assert verdict.valid
    assert verdict.body is not None
    assert verdict.body["sha256"] == exported.sha256


def test_receipts_are_in_it_and_verify(town: Town) -> None:
    sub = person(town)
    connection_id = town.rows("connections")[0]["id"]
    revoke.revoke(town.gateway, town.house.tenant.id, connection_id, by=Ended.PERSON)
    found = files(town, sub)
    receipts = [name for name in found if name.startswith("receipts/")]
    assert receipts
    assert all(verify_file(found[name], trusted(town)).valid for name in receipts)


def test_after_a_revocation_the_imported_data_is_in_it_until_the_window_is_over(town: Town, clock) -> None:
    sub = person(town)
    connection_id = town.rows("connections")[0]["id"]
    before = read(files(town, sub), "contacts.json")
    revoke.revoke(town.gateway, town.house.tenant.id, connection_id, by=Ended.PERSON)
    within = read(files(town, sub), "contacts.json")
    assert [card["values"] for card in within] == [card["values"] for card in before]
    clock.advance(days=8)
    revoke.destroy_due_keys(town.gateway)
    found = files(town, sub)
    assert read(found, "contacts.json") == []
    assert any(card["values"] for card in read(found, "profile.json")), "what the person typed in is still theirs"


def test_disclosures_say_who_got_what_under_which_clause(town: Town) -> None:
    sub = person(town)
    connection_id = town.rows("connections")[0]["id"]
    fresh_token(town.gateway, town.house.worker, Wanted(connection_id, Purpose.SERVICE))
    listed = read(files(town, sub), "disclosures.json")
    handed = next(one for one in listed if one["what"].endswith("access token"))
    assert handed["recipient"] == "worker"
    assert handed["purpose"] == "service"
    assert handed["clause"]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1+1", "\n=1", "\uff1d1"])
def test_no_cell_begins_like_a_formula(cell: str) -> None:
    table = export.contacts_csv([{"name": {"full": cell}, "notes": {"n": {"note": cell}}}])
    row = list(csv.reader(io.StringIO(table, newline="")))[1]
    assert row[0] == f"'{cell}"
    assert row[5] == f"'{cell}"


def test_twin_a_plain_cell_would_be_a_formula() -> None:
    assert export.harmless("Ada") == "Ada"
    assert export.harmless("=HYPERLINK(A1)") != "=HYPERLINK(A1)"


def test_somebody_elses_tenant_and_the_deleted_get_nothing(town: Town) -> None:
    sub = person(town)
    with pytest.raises(NotFound):
        export.export_user(town.gateway, town.house.other_tenant.id, sub)
    erase.delete_user(town.gateway, town.house.tenant.id, sub, Ended.APP)
    with pytest.raises(NotFound):
        export.export_user(town.gateway, town.house.tenant.id, sub)
