"""Revocation, receipts, disclosures, export and deletion over the JSON API; signals and status pages."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from connector.clients import NewIntegration, add_client, add_integration
from connector.flows import revoke
from connector.ledger import verify_file
from connector.storage import Store
from providers.rehearsal.server.signals import signed
from providers.secret import Secret
from tests.clock import ManualClock
from tests.gateways import api_token, bearer, web_client
from tests.signing_up import Town, make_town


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    return make_town(tmp_path, store, clock)


def call(town: Town, method: str, path: str, *, client=None, secret=None, **parts):
    token = api_token(town.app, client or town.house.web, secret or town.house.web_secret)
    return town.app.test_client().open(path, method=method, headers=bearer(token), **parts)


def test_revoking_answers_202_with_a_receipt_and_twice_is_the_same(town: Town) -> None:
    mine = town.sign_up("ada")
    path = f"/v1/connections/{mine['connection']}"
    first, second = call(town, "DELETE", path), call(town, "DELETE", path)
    assert first.status_code == second.status_code == 202
    assert first.json == second.json
    assert first.json["provider"] == "trying"
    receipt = call(town, "GET", first.json["receipt"])
    assert verify_file(receipt.data).valid
    revoke.tell_providers(town.gateway)
    after = call(town, "DELETE", path).json
    assert after["provider"] == "confirmed"
    assert after["receipt"] != first.json["receipt"]
    assert verify_file(call(town, "GET", after["receipt"]).data).valid


def test_erase_now_is_taken_from_the_body_and_anything_else_refused(town: Town) -> None:
    mine = town.sign_up("ada")
    path = f"/v1/connections/{mine['connection']}"
    for body in ({"erase": True}, {"erase_now": "yes"}, {"erase_now": 1}):
        assert call(town, "DELETE", path, json=body).status_code == 400
    assert town.rows("connections")[0]["state"] == "active"
    assert call(town, "DELETE", path, json={"erase_now": True}).status_code == 202
    assert revoke.destroy_due_keys(town.gateway) == 1


def test_disclosures_come_in_pages_from_the_ledger(town: Town) -> None:
    mine = town.sign_up("ada")
    for _ in range(3):
        token = api_token(town.app, town.house.worker, town.house.worker_secret)
        answer = town.app.test_client().post(f"/v1/connections/{mine['connection']}/token", headers=bearer(token))
        assert answer.status_code == 200
    path = f"/v1/users/{mine['claims']['sub']}/disclosures"
    page = call(town, "GET", path, query_string={"limit": "2"}).json
    assert len(page["items"]) == 2
    assert page["items"][0]["recipient"] == "worker"
    assert page["items"][0]["clause"]
    rest = call(town, "GET", path, query_string={"limit": "200", "cursor": page["next"]}).json
    seen = [one["entry"] for one in page["items"] + rest["items"]]
    assert seen == sorted(set(seen), reverse=True)
    assert sum(one["what"].endswith("access token") for one in page["items"] + rest["items"]) == 3


def test_an_export_is_one_zip_with_a_link_to_its_receipt(town: Town) -> None:
    mine = town.sign_up("ada")
    answer = call(town, "POST", f"/v1/users/{mine['claims']['sub']}/export")
    assert answer.status_code == 200
    assert answer.content_type == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert "profile.json" in archive.namelist()
    link = answer.headers["Link"].split(">")[0].lstrip("<")
    assert verify_file(call(town, "GET", link).data).valid


def test_deleting_answers_the_receipt_and_the_person_is_gone(town: Town) -> None:
    mine = town.sign_up("ada")
    path = f"/v1/users/{mine['claims']['sub']}"
    first, second = call(town, "DELETE", path), call(town, "DELETE", path)
    assert first.status_code == second.status_code == 200
    assert first.json["receipt"] == second.json["receipt"]
    assert verify_file(call(town, "GET", first.json["receipt"]).data).valid
    assert call(town, "POST", f"{path}/export").status_code == 404
    assert call(town, "GET", f"{path}/disclosures").status_code == 404
    status = town.browser().get(first.json["status_pages"][0].removeprefix(town.gateway.settings.server.public_url))
    assert status.status_code == 200
    assert "is being told" in status.text


def test_a_client_that_sees_only_some_accounts_gets_no_half_person(town: Town) -> None:
    mine = town.sign_up("ada")
    vault = town.gateway.vault
    with town.gateway.store.transaction() as tx:
        other = add_integration(
            tx,
            vault,
            NewIntegration(
                town.house.tenant.id,
                "rehearsal",
                name="elsewhere",
                client_id="x",
                client_secret=Secret("y"),
                issuer=town.house.integration.issuer,
            ),
            development=True,
        )
        client, secret = add_client(
            tx, vault, web_client(town.house.tenant, name="narrow", integrations=(other.id,)), development=True
        )
    sub = mine["claims"]["sub"]
    for method, path in (
        ("DELETE", f"/v1/users/{sub}"),
        ("POST", f"/v1/users/{sub}/export"),
        ("GET", f"/v1/users/{sub}/disclosures"),
        ("GET", f"/v1/users/{sub}/receipts/rcp_{'a' * 26}"),
    ):
        assert call(town, method, path, client=client, secret=secret).status_code == 403
    answer = call(town, "DELETE", f"/v1/connections/{mine['connection']}", client=client, secret=secret)
    assert answer.status_code == 404
    assert town.rows("connections")[0]["state"] == "active"


def test_somebody_elses_receipt_is_not_found(town: Town) -> None:
    ada, bob = town.sign_up("ada"), town.sign_up("bob")
    receipt = call(town, "DELETE", f"/v1/connections/{ada['connection']}").json["receipt"].rpartition("/")[2]
    assert call(town, "GET", f"/v1/users/{bob['claims']['sub']}/receipts/{receipt}").status_code == 404


def signal(town: Town, kind: str, *, key: str = "rehearsal-secret", event_id: str = "ev_1"):
    issued = town.gateway.clock.now()
    body = json.dumps(
        {
            "event": {"rehearsal-deauthorize": "deauthorized", "rehearsal-data-deletion": "delete_data"}[kind],
            "client_id": town.house.integration.client_id,
            "issuer": town.house.integration.issuer,
            "subject": "ada",
            "event_id": event_id,
            "issued_at": issued,
        }
    ).encode()
    return town.app.test_client().post(
        f"/signals/{town.house.integration.id}/{kind}",
        data=body,
        headers={"Rehearsal-Signature": signed(key, body), "Content-Type": "application/json"},
    )


def test_a_deletion_signal_answers_url_and_code_and_the_page_says_how_it_stands(town: Town, clock: ManualClock) -> None:
    town.sign_up("ada")
    clock.advance(5)
    answer = signal(town, "rehearsal-data-deletion")
    assert answer.status_code == 200
    assert answer.json["url"].endswith(f"/deletions/{answer.json['confirmation_code']}")
    page = town.browser().get(f"/deletions/{answer.json['confirmation_code']}")
    assert page.status_code == 200
    assert "Access ended here" in page.text
    assert signal(town, "rehearsal-data-deletion").json == answer.json


def test_a_deletion_signal_about_nobody_here_still_gets_a_page(town: Town) -> None:
    answer = signal(town, "rehearsal-data-deletion")
    page = town.browser().get(f"/deletions/{answer.json['confirmation_code']}")
    assert "nothing of that account" in page.text


def test_a_forged_signal_is_refused_without_a_word_about_the_account(town: Town, clock: ManualClock) -> None:
    town.sign_up("ada")
    clock.advance(5)
    answer = signal(town, "rehearsal-deauthorize", key="guessed")
    assert answer.status_code == 400
    assert answer.json["code"] == "bad_signal"
    assert town.rows("connections")[0]["state"] == "active"


def test_an_unknown_code_is_a_page_that_says_so(town: Town) -> None:
    answer = town.browser().get("/deletions/nothing")
    assert answer.status_code == 404
    assert answer.content_type.startswith("text/html")
