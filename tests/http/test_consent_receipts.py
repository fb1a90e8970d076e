"""A choice leaves a receipt: the record in DPV's words, signed and proven, to be read by people and by programs."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from connector.ledger import public_keys_from_jwks, verify_file
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import api_token, bearer
from tests.http.test_portal import inside
from tests.signing_up import Town, let_write, make_town


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    return make_town(tmp_path, store, clock)


@pytest.fixture
def sub(town: Town) -> str:
    """Somebody who ticked one box."""
    browser = town.browser()
    started, query = town.pushed(offer_push="name", integration=let_write(town.house).id)
    home = town.to_app(browser, query, "ada", push=["name"])
    found: str = town.finished(home, started)["claims"]["sub"]
    return found


def ask(town: Town, method: str, path: str, **more: Any) -> Any:
    headers = bearer(api_token(town.app, town.house.web, town.house.web_secret))
    return town.app.test_client().open(path, method=method, headers=headers, **more)


def pushed(town: Town, sub: str) -> dict[str, Any]:
    items = ask(town, "GET", f"/v1/users/{sub}/consents").json["items"]
    (found,) = [one for one in items if one["direction"] == "push"]
    return dict(found)


def receipt(town: Town, sub: str, which: int = -1) -> bytes:
    answer = ask(town, "GET", f"/v1/users/{sub}/consents/receipts/{pushed(town, sub)['receipts'][which]}")
    assert answer.status_code == 200
    data: bytes = answer.data
    return data


def trusted(town: Town) -> dict[str, bytes]:
    return public_keys_from_jwks(town.app.test_client().get("/oauth/jwks").json or {})


def test_a_choice_has_a_receipt_that_verifies_against_the_published_keys(town: Town, sub: str) -> None:
    verdict = verify_file(receipt(town, sub), trusted(town))
    assert (verdict.valid, verdict.trusted) == (True, True)
    body = dict(verdict.body or {})
    assert (body["event"], body["field_group"], body["kind"]) == ("given", "name", "consent")


def test_the_record_has_what_the_profile_demands(town: Town, sub: str) -> None:
    record = dict((verify_file(receipt(town, sub)).body or {})["record"])
    assert record["@context"]["dpv"] == "https://w3id.org/dpv#"
    assert record["dct:conformsTo"].endswith("dpv-27560#record")
    for mandatory in ("dct:identifier", "dpv:hasDataSubject", "dpv:hasNotice", "dpv:hasJurisdiction"):
        assert record[mandatory], mandatory
    (controller,) = record["dpv:hasDataController"]
    assert all(controller[name] for name in ("dpv:hasName", "dpv:hasAddress", "dpv:hasContact"))
    (process,) = record["dpv:hasProcess"]
    for mandatory in ("dpv:hasPurpose", "dpv:hasPersonalData", "dpv:hasStorageCondition", "dpv:hasRecipient"):
        assert process[mandatory], mandatory
    assert record["dpv:hasConsentControl"]["schema:url"]
    (event,) = record["dpv:hasConsentStatus"]
    for mandatory in ("@type", "dct:date", "dpv:hasDuration", "dpv:isIndicatedBy"):
        assert event[mandatory], mandatory
    assert record["dpv:hasNotice"]["dct:language"] == "en"
    assert pushed(town, sub)["record"]["jsonld"] == record


def test_taking_it_back_has_its_own_receipt_and_the_first_stays_true(town: Town, sub: str) -> None:
    body = {"id": pushed(town, sub)["id"], "choice": "withdrawn"}
    assert ask(town, "PUT", f"/v1/users/{sub}/consents", json=body).status_code == 200
    first, last = (verify_file(receipt(town, sub, which), trusted(town)) for which in (0, -1))
    assert first.valid
    assert last.valid
    assert [dict(one.body or {})["event"] for one in (first, last)] == ["given", "withdrawn"]


def test_only_receipts_of_choices_of_this_person_are_there(town: Town, sub: str) -> None:
    other = town.sign_up("bob", integration=town.house.integration.id)["claims"]["sub"]
    found = pushed(town, sub)["receipts"][0]
    assert ask(town, "GET", f"/v1/users/{other}/consents/receipts/{found}").status_code == 404
    export = ask(town, "POST", f"/v1/users/{sub}/export")
    assert export.status_code == 200
    (exported,) = [row["id"] for row in town.rows("receipts") if row["kind"] == "export"]
    assert ask(town, "GET", f"/v1/users/{sub}/consents/receipts/{exported}").status_code == 404
    assert ask(town, "DELETE", f"/v1/users/{sub}").status_code < 300
    assert ask(town, "GET", f"/v1/users/{sub}/consents/receipts/{found}").status_code in {404, 410}


def edited(data: bytes, part: str) -> bytes:
    """The file with one thing in it changed."""
    file = json.loads(data)
    header, payload, signature = file["receipt"].split(".")
    if part == "receipt":
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        said["body"]["event"] = "withdrawn"
        payload = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
        file["receipt"] = f"{header}.{payload}.{signature}"
    elif part == "commitment":
        file["entry"]["facts"]["commitment"] = "0" * 64
    elif part == "inclusion":
        file["entry"]["at"] += 1
    elif part == "checkpoint":
        file["checkpoint"] = re.sub(r"\n\d+\n", "\n999\n", file["checkpoint"], count=1)
    elif part == "keys":
        file["keys"] = [{**key, "x": base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()} for key in file["keys"]]
    else:
        file["more"] = 1
    return json.dumps(file).encode()


@pytest.mark.parametrize("part", ["receipt", "commitment", "checkpoint", "inclusion", "keys", "form"])
def test_an_edited_receipt_is_refused_and_the_place_named(town: Town, sub: str, part: str) -> None:
    verdict = verify_file(edited(receipt(town, sub), part), trusted(town))
    assert not verdict.valid
    assert verdict.failure is not None
    assert verdict.failure.name == part
    assert verdict.body is None


def test_it_can_be_read_as_a_page(town: Town, sub: str) -> None:
    browser, _ = inside(town, sub)
    listed = browser.get("/portal/receipts").text
    found = pushed(town, sub)["receipts"][0]
    assert f"/portal/receipts/{found}/read" in listed
    page = browser.get(f"/portal/receipts/{found}/read")
    assert page.status_code == 200
    for words in ("You agreed to this", "clause 3a", "consent given, by subject", "✓ inclusion"):
        assert words in page.text, words
    assert "✗" not in page.text


class Steps:
    """A person who clicks: pages opened, forms sent, and fields that they had to fill in."""

    def __init__(self, town: Town, sub: str) -> None:
        self.browser, self.token = inside(town, sub)
        self.clicks = 0
        self.fields = 0

    def opens(self, link: str, on: str) -> str:
        assert f'href="{link}"' in on, link
        self.clicks += 1
        return self.browser.get(link).text

    def sends(self, action: str, on: str) -> str:
        form = re.search(rf'<form method="post" action="{re.escape(action)}">(.*?)</form>', on, re.DOTALL)
        assert form is not None, action
        self.fields += len(re.findall(r"<(?:input(?![^>]*hidden)|select|textarea)", form.group(1)))
        self.clicks += 1
        answer = self.browser.post(action, data={"form_token": self.token})
        assert answer.status_code == 303, answer.text
        return self.browser.get(answer.headers["Location"]).text


def test_taking_back_is_as_easy_as_giving(town: Town, sub: str) -> None:
    """Counted on the person's own pages: clicks from the first page to the choice, and fields to fill in."""
    taking, giving = Steps(town, sub), Steps(town, sub)
    choice = pushed(town, sub)
    account = f"/portal/accounts/{choice['connection']}"
    page = taking.opens(account, taking.browser.get("/portal").text)
    taking.sends(f"/portal/choices/{choice['id']}/withdraw", page)
    assert pushed(town, sub)["choice"] == "withdrawn"

    page = giving.opens(account, giving.browser.get("/portal").text)
    page = giving.opens(f"{account}/push/name", page)
    giving.sends(f"{account}/push/name", page)
    assert pushed(town, sub)["choice"] == "given"
    assert taking.clicks <= giving.clicks
    assert (taking.fields, giving.fields) == (0, 0)
