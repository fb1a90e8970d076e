"""What a person's own token opens: what its scopes name, the person agreed to and the policy allows, now."""

from __future__ import annotations

from typing import Any

import pytest

from connector import consent
from connector.flows import import_records, person_claims, userinfo
from connector.flows.revoke import revoke
from connector.flows.withdraw_consent import withdraw_in
from connector.model.states import Ended
from connector.model.tags import Choice
from tests.gateways import bearer
from tests.signing_up import Town


def asked(town: Town, tokens: dict[str, Any]) -> dict[str, Any]:
    answer = town.app.test_client().get("/oauth/userinfo", headers=bearer(tokens["access_token"]))
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def signed_up(town: Town, **query: Any) -> dict[str, Any]:
    tokens = town.sign_up("ada", **query)
    while import_records.step(town.gateway):
        pass
    return tokens


def withdraw(town: Town, group: str) -> None:
    with town.gateway.store.transaction() as tx:
        row = tx.one("SELECT id, tenant_id FROM consents WHERE field_group = :group", group=group)
        assert row is not None
        found = consent.find(tx, town.gateway.vault, row["tenant_id"], row["id"])
        assert found is not None
        withdraw_in(town.gateway, tx, found, by="subject", method="page")


def test_it_opens_what_the_scopes_name_and_nothing_else(town: Town) -> None:
    said = asked(town, signed_up(town))
    assert said["email"] == "ada@example.org"
    assert said["name"]
    assert "phone_number" not in said
    assert set(said) <= {"sub", *userinfo.CLAIMS}


@pytest.mark.parametrize(("scope", "missing"), [("openid", "name"), ("openid profile", "email"), ("openid", "email")])
def test_a_scope_that_was_not_asked_for_opens_nothing(town: Town, scope: str, missing: str) -> None:
    assert missing not in asked(town, signed_up(town, scope=scope))


def test_what_is_not_stored_here_is_not_made_up(town: Town) -> None:
    tokens = town.sign_up("ada")
    assert asked(town, tokens) == {"sub": tokens["claims"]["sub"]}


def test_each_release_is_in_the_ledger_with_its_clause(town: Town) -> None:
    tokens = signed_up(town)
    before = len(town.entries("release"))
    asked(town, tokens)
    written = town.entries("release")[before:]
    assert sorted(entry["categories"][0] for entry in written) == ["contact", "profile"]
    assert all(entry["clause"] and entry["client"] == town.house.web.id for entry in written)


def test_nothing_leaves_when_the_ledger_cannot_be_written(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = signed_up(town)

    def full(*_args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("connector.flows.release_values.append_all", full)
    answer = town.app.test_client().get("/oauth/userinfo", headers=bearer(tokens["access_token"]))
    assert answer.status_code == 500
    assert "ada@example.org" not in answer.text


def test_a_withdrawn_choice_closes_id_token_and_userinfo_alike(town: Town) -> None:
    tokens = signed_up(town)
    withdraw(town, "claims_email")
    assert "email" not in asked(town, tokens)
    assert "name" in asked(town, tokens)
    browser = town.browser()
    town.sign_up("ada", browser)  # agrees anew, on the page
    withdraw(town, "claims_email")
    again = town.sign_up("ada", browser)  # straight on: what was withdrawn stays withdrawn
    assert "email" not in again["claims"]
    assert "name" in again["claims"]


def test_who_takes_the_import_back_takes_the_claims_back(town: Town) -> None:
    tokens = signed_up(town)
    withdraw(town, "profile")
    assert asked(town, tokens) == {"sub": tokens["claims"]["sub"]}


def test_after_revoking_nothing_of_the_account_is_opened(town: Town) -> None:
    tokens = signed_up(town)
    revoke(town.gateway, town.house.tenant.id, tokens["connection"], by=Ended.PERSON)
    assert asked(town, tokens) == {"sub": tokens["claims"]["sub"]}


def test_without_a_choice_on_record_the_app_learns_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.flows.signup_link.agreeing._agree", lambda *_args: None)
    assert not {"email", "name"} & town.sign_up("ada")["claims"].keys()


def test_twin_a_choice_taken_for_granted_would_open_them(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.flows.signup_link.agreeing._agree", lambda *_args: None)
    monkeypatch.setattr(person_claims, "_bearing", lambda _choice, _claims: Choice.GIVEN)
    assert {"email", "name"} <= town.sign_up("ada")["claims"].keys()


def test_a_sign_in_alone_tells_the_app_what_the_notice_says_and_imports_nothing(town: Town) -> None:
    started, query = town.pushed(**{"import": ""})
    browser = town.browser()
    assert "E-mail address" in town.page(browser, query).text
    tokens = town.finished(town.to_app(browser, query), started)
    assert tokens["claims"]["email"] == "ada@example.org"
    assert town.how_many("imports") == {"imports": 0}


CARD = {
    "name": {"components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "King"}]},
    "emails": {"a": {"address": "b@example.org"}, "b": {"address": "a@example.org", "pref": 1}},
    "media": {"x": {"kind": "photo", "uri": "data:image/png;base64,AA"}, "y": {"kind": "logo", "uri": "https://l"}},
    "links": {"website": {"uri": "https://ada.example"}, "other": {"uri": "https://o.example"}},
}


def test_a_card_is_read_as_standard_claims() -> None:
    found = {name: value for name, value in userinfo._claims_of(CARD).items() if value}
    assert found == {
        "name": "Ada King",
        "given_name": "Ada",
        "family_name": "King",
        "email": "a@example.org",
        "website": "https://ada.example",
    }


@pytest.mark.parametrize(
    ("date", "text"),
    [
        ({"year": 1815, "month": 12, "day": 10}, "1815-12-10"),
        ({"month": 12, "day": 10}, "0000-12-10"),
        ({"year": 1815}, "1815"),
        ({"@type": "Timestamp", "utc": "1815-12-10T00:00:00Z"}, "1815-12-10"),
        ({"month": 12}, ""),
    ],
)
def test_a_birthday_is_written_as_openid_connect_writes_it(date: dict[str, Any], text: str) -> None:
    assert userinfo._date(date) == text
