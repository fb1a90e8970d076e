"""The person's own copy holds something of every table, or the table is listed as left out, with the reason."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from connector import inbox
from connector.flows import export, held, post_notices, push_update
from connector.flows.edit_profile import edit_profile
from connector.flows.hand_outside import hand_outside
from connector.flows.own_records import put_note
from connector.flows.revoke import revoke
from connector.inbox import Announcement, Toward
from connector.model.states import Ended
from connector.storage import Store
from connector.storage.schema import metadata
from tests.clock import ManualClock
from tests.gateways import api_token, bearer
from tests.journeys.test_disclosures import COURT
from tests.signing_up import Town, let_write, make_town

NOTE = "canary note 9310"
NAME = "Canary Nickname 9311"


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    return make_town(tmp_path, store, clock)


def lived(town: Town) -> str:
    """Somebody of whom every table that can know people knows something."""
    from connector.flows import import_records  # noqa: PLC0415  beside its use

    integration = let_write(town.house)
    town.callback = f"/callback/{integration.id}"
    started, query = town.pushed(integration=integration.id, offer_push="name")
    browser = town.browser()
    page = town.page(browser, query)
    onward = town.submit(browser, page, push=["name"])
    back = town.follow(browser, town.at_provider(onward.headers["Location"])).headers["Location"]
    sub = str(town.finished(back, started)["claims"]["sub"])
    while import_records.step(town.gateway):
        pass
    client, tenant = town.house.web, town.house.tenant.id
    headers = bearer(api_token(town.app, client, town.house.web_secret))
    http = town.app.test_client()
    for name in ("First", NAME):
        patch = {"nicknames": {"n": {"name": name}}}
        http.patch(
            f"/v1/users/{sub}/profile", json=patch, headers=headers | {"Idempotency-Key": name.replace(" ", "-")}
        )
    push_update.step(town.gateway)
    contact = next(row for row in town.rows("cards") if row["kind"] == "contact")
    put_note(town.gateway, client, sub, contact["id"], NOTE)
    hand_outside(town.gateway, tenant, sub, COURT)
    with town.gateway.store.transaction() as tx:
        inbox.announce(tx, town.gateway.vault, tenant, Announcement("policy", "2030", "Canary title 9312", ["Words."]))
        inbox.take(tx, town.gateway.vault, tenant, sub, Toward.MAIL, "", "no", by="subject")
        connection = tx.one("SELECT * FROM connections")
        assert connection is not None
        adopt(town, tx, connection)
    post_notices.spread(town.gateway)
    link = http.post(f"/v1/users/{sub}/portal", json={"return_url": client.return_uris[0]}, headers=headers).json
    browser.post("/portal/enter", data={"link": link["url"].partition("link=")[2]})
    town.callback = f"/callback/{town.house.integration.id}"
    started, query = town.pushed(integration=town.house.integration.id, link_user=sub)
    town.finished(town.to_app(town.browser(), query, "ada"), started, link_user=sub)
    other = next(row for row in town.rows("connections") if row["integration_id"] != integration.id)
    revoke(town.gateway, tenant, other["id"], by=Ended.PERSON)
    return sub


def adopt(town: Town, tx: Any, connection: Any) -> None:
    from connector.connections import Adoption, note_adoption  # noqa: PLC0415  beside its use

    given = {"connection_id": connection["id"], "tenant_id": connection["tenant_id"], "client_id": town.house.web.id}
    given |= {"verified": 1, "generation": 1, "obtained_at": None, "adopted_at": tx.now(), "confirmed_at": None}
    note_adoption(tx, town.gateway.vault, Adoption(**{name: given[name] for name in Adoption.__dataclass_fields__}))


def unzipped(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def exported(town: Town, sub: str) -> dict[str, str]:
    return unzipped(export.export_user(town.gateway, town.house.tenant.id, sub).content)


def mark_of(table: str, row: dict[str, Any]) -> str:
    """What of a row must be found in its file."""
    by_key = {
        "users": "sub",
        "adoptions": "connection_id",
        "records": "pointer",
        "changes": "card_id",
        "portal_links": "client_id",
        "portal_sessions": "client_id",
        "access_tokens": "client_id",
        "idempotency_keys": "about",
        "consent_events": "event",
        "ledger_entries": "kind",
        "inbox_items": "id",
        "notices": "title",
        "stances": "toward",
        "mails": "item_id",
    }
    return str(row[by_key.get(table, "id")])


def test_every_table_is_exported_or_left_out_for_a_reason() -> None:
    assert set(held.EXPORTED) | set(held.LEFT_OUT) == set(metadata.tables), "where is the new table?"
    assert set(held.EXPORTED) & set(held.LEFT_OUT) == set()
    assert all(held.LEFT_OUT.values())


def test_something_of_every_table_that_knows_the_person_is_in_the_file_that_is_named_for_it(town: Town) -> None:
    sub = lived(town)
    rows = {table: town.rows(table) for table in held.EXPORTED}
    assert [table for table, found in rows.items() if not found] == [], "the story must fill every table"
    files = exported(town, sub)
    missing = [
        (table, mark_of(table, row))
        for table, name in held.EXPORTED.items()
        for row in rows[table]
        if of_person(table, row) and mark_of(table, row) not in text_of(files, name)
    ]
    assert missing == []
    assert NOTE in files["notes.json"]
    assert NAME in files["profile.json"]
    assert "First" in files["profile.json"], "the older copy is visible to its owner"
    assert json.loads(files["releases.json"])[0]["approver"] == "Grace Hopper"


def text_of(files: dict[str, str], name: str) -> str:
    """What the file says; cards and their values lie in two."""
    text = "".join(content for file, content in files.items() if file.startswith(name.removesuffix(".json")))
    return text + (files["profile.json"] + files["notes.json"] if name == "contacts.json" else "")


def of_person(table: str, row: dict[str, Any]) -> bool:
    """Entries of the ledger that are about nobody, and cards that are gone, are in nobody's copy."""
    if table == "ledger_entries":
        return row["pseudonym"] is not None and row["kind"] != "exported"
    return not (table == "changes" and row["kind"] == "closed")


def test_no_credential_is_in_the_copy(town: Town) -> None:
    sub = lived(town)
    text = "".join(exported(town, sub).values())
    state = town.rehearsal.extensions["rehearsal"]
    assert not [token for token in (*state.access, *state.refresh) if token in text]
    assert not [row["code"] for row in town.rows("revocations") if row["code"] in text]


def test_twin_a_table_that_nobody_named_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "EXPORTED", {name: file for name, file in held.EXPORTED.items() if name != "stances"})
    with pytest.raises(AssertionError, match=r"new table"):
        test_every_table_is_exported_or_left_out_for_a_reason()


def test_older_copies_are_dormant_visible_and_dropped_by_their_owner(town: Town) -> None:
    from tests.journeys.test_notices import portal  # noqa: PLC0415  beside its use

    sub = str(town.sign_up("ada")["claims"]["sub"])
    for name in ("First", "Second"):
        edit_profile(town.gateway, town.house.web, sub, {"nicknames": {"n": {"name": name}}})
    browser, token = portal(town, sub)
    page = browser.get("/portal/data").text
    assert "an older copy" in page
    assert "Drop older copies" in page
    assert browser.post("/portal/data/older/drop", data={"form_token": token}).status_code == 303
    page = browser.get("/portal/data").text
    assert "First" not in page
    assert "Drop older copies" not in page
    assert [row["revision"] for row in town.rows("records") if row["source"] == "given"] == ["current"]


def test_the_page_says_of_each_value_where_it_came_from_under_which_version_and_who_got_such(town: Town) -> None:
    from tests.journeys.test_erasure_passed_on import pushed  # noqa: PLC0415  beside its use
    from tests.journeys.test_notices import api, portal  # noqa: PLC0415

    sub = pushed(town)
    browser, _ = portal(town, sub)
    page = browser.get("/portal/data").text
    assert "You typed it in" in page
    assert "policy of 2019-03-11" in page
    assert "such values went to Rehearsal" in page
    assert "such values went to web" not in page
    assert api(town, "GET", f"/v1/users/{sub}/profile?purpose=service").status_code == 200
    assert "such values went to web, Rehearsal" in browser.get("/portal/data").text
