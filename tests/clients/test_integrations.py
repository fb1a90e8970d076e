"""A tenant's registrations at providers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.clients import (
    Integration,
    NewIntegration,
    add_integration,
    find_integration,
    integration_with_id,
    integrations,
    integrations_of,
    remove_integration,
    set_integration_secret,
)
from connector.flows.integrations import registration_of
from connector.model.errors import BadInput, Conflict, Misconfigured, NotFound
from providers import catalogue
from providers.secret import Secret
from tests.contracts.shapes import SHAPES, shaped
from tests.gateways import House
from vault import VaultError


def add(house: House, development: bool = True, **parts: Any) -> Integration:
    given = {
        "tenant_id": house.tenant.id,
        "provider": "oidc",
        "client_id": "at-provider",
        "client_secret": Secret("s3cret-at-provider"),
        "issuer": "https://id.example.org",
    }
    with house.gateway.store.transaction() as tx:
        return add_integration(tx, house.gateway.vault, NewIntegration(**(given | parts)), development=development)


def find(house: House, word: str, tenant_id: str = "") -> Integration:
    with house.gateway.store.read() as tx:
        return find_integration(tx, house.gateway.vault, tenant_id or house.tenant.id, word)


def test_an_integration_comes_back_as_it_was_added(house: House) -> None:
    added = add(house, name="id", scopes=("openid", "x"), imports=("contacts", "profile"), sync_every_s=21_600)
    assert find(house, "id") == find(house, added.id) == added
    assert added.client_secret == Secret("s3cret-at-provider")
    assert (added.scopes, added.imports, added.sync_every_s) == (("openid", "x"), ("profile", "contacts"), 21_600)
    with house.gateway.store.read() as tx:
        assert integration_with_id(tx, house.gateway.vault, added.id) == added
        assert [one.name for one in integrations_of(tx, house.gateway.vault, house.tenant.id)] == ["id", "rehearsal"]


def test_a_provider_brings_its_own_name_and_scopes(house: House) -> None:
    added = add(house, provider="google", issuer="")
    assert (added.name, added.issuer) == ("google", "")
    assert added.scopes


def test_its_secret_is_sealed_at_rest(house: House) -> None:
    add(house)
    with house.gateway.store.read() as tx:
        assert b"s3cret-at-provider" not in b"".join(
            bytes(row["client_secret"]) for row in tx.all("SELECT client_secret FROM integrations")
        )


def test_another_tenants_integration_is_not_found(house: House) -> None:
    for word in (house.integration.id, "rehearsal"):
        with pytest.raises(NotFound):
            find(house, word, house.other_tenant.id)


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"provider": "myspace"}, "unknown_provider"),
        ({"issuer": ""}, "bad_issuer"),
        ({"issuer": "id.example.org"}, "bad_issuer"),
        ({"issuer": "http://id.example.org"}, "bad_issuer"),
        ({"issuer": "https://id.example.org?x=1"}, "bad_issuer"),
        ({"issuer": "https://user@id.example.org"}, "bad_issuer"),
        ({"provider": "google", "issuer": "https://evil.example"}, "bad_issuer"),
        ({"client_id": ""}, "bad_client_id"),
        ({"client_secret": Secret("")}, "bad_client_secret"),
        ({"client_secret": Secret("two\nlines")}, "bad_client_secret"),
        ({"scopes": ("a b",)}, "bad_scope"),
        ({"imports": ("photos",)}, "unknown_import"),
        ({"sync_every_s": 5}, "bad_sync_every"),
        ({"name": "a\tb"}, "bad_name"),
    ],
)
def test_what_cannot_be_added_says_how_to_mend_it(house: House, parts: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        add(house, **parts)
    assert caught.value.code == code
    assert "s3cret" not in str(caught.value)


def test_each_customers_host_is_set_once_and_cannot_lead_elsewhere(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = shaped(tmp_path, SHAPES["each customer's host"])
    monkeypatch.setattr(catalogue, "names", lambda: ("shape",))
    monkeypatch.setattr(catalogue, "entry", lambda _: entry)

    for settings in ({}, {"domain": "evil.example/x"}, {"domain": "a@b"}, {"domain": "ACME"}, {"domain": "a" * 300}):
        with pytest.raises(BadInput) as caught:
            add(house, provider="shape", issuer="", settings=settings)
        assert caught.value.code == "bad_setting"
        assert "--setting" in str(caught.value) or "characters" in str(caught.value)

    assert add(house, provider="shape", issuer="", settings={"domain": "acme"}).settings == {"domain": "acme"}


def test_production_refuses_rehearsal_and_loopback_issuers(house: House) -> None:
    with pytest.raises(BadInput) as caught:
        add(house, development=False, provider="rehearsal", issuer="https://rehearsal.example")
    assert caught.value.code == "development_only"
    for issuer in ("http://127.0.0.1:9", "https://127.0.0.1:9", "https://localhost"):
        with pytest.raises(BadInput):
            add(house, development=False, issuer=issuer)


def test_names_are_unique_within_a_tenant(house: House) -> None:
    add(house)
    with pytest.raises(Conflict):
        add(house)
    assert add(house, tenant_id=house.other_tenant.id)


def test_a_new_secret_replaces_the_old_one(house: House) -> None:
    added = add(house)
    with house.gateway.store.transaction() as tx:
        set_integration_secret(tx, house.gateway.vault, house.tenant.id, "oidc", Secret("new one"))
        with pytest.raises(BadInput):
            set_integration_secret(tx, house.gateway.vault, house.tenant.id, "oidc", Secret(""))
    assert find(house, added.id).client_secret == Secret("new one")


def test_an_old_secret_put_back_into_the_row_does_not_open(house: House) -> None:
    added = add(house)
    with house.gateway.store.transaction() as tx:
        old = tx.one("SELECT client_secret, seal FROM integrations WHERE id = :id", id=added.id)
        assert old is not None
        set_integration_secret(tx, house.gateway.vault, house.tenant.id, added.id, Secret("new one"))
        tx.run("UPDATE integrations SET client_secret = :old WHERE id = :id", old=old["client_secret"], id=added.id)
    with pytest.raises(Misconfigured):
        find(house, added.id)


@pytest.mark.parametrize("column", ["issuer", "client_id", "provider", "scopes", "settings", "imports", "name"])
def test_a_row_changed_in_the_database_is_not_used(house: House, column: str) -> None:
    added = add(house)
    changed = {"scopes": '["all"]', "settings": '{"token_endpoint":"https://evil.example"}', "imports": "[]"}
    with house.gateway.store.transaction() as tx:
        tx.run(f"UPDATE integrations SET {column} = :v WHERE id = :id", v=changed.get(column, "google"), id=added.id)
    with pytest.raises(Misconfigured) as caught:
        find(house, added.id)
    assert caught.value.code == "row_seal_broken"


def test_without_the_row_seal_a_changed_issuer_would_be_used(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrations, "intact", lambda *_: True)
    added = add(house)
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE integrations SET issuer = 'https://evil.example' WHERE id = :id", id=added.id)
    assert find(house, added.id).issuer == "https://evil.example"


def test_even_without_the_row_seal_a_secret_opens_in_no_other_row(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrations, "intact", lambda *_: True)
    one, two = add(house, name="one"), add(house, name="two", client_secret=Secret("other"))
    with house.gateway.store.transaction() as tx:
        tx.run(
            "UPDATE integrations SET client_secret = (SELECT client_secret FROM integrations WHERE id = :one)"
            " WHERE id = :two",
            one=one.id,
            two=two.id,
        )
    with pytest.raises(VaultError):
        find(house, two.id)


def test_a_removed_integration_is_gone_and_its_secret_overwritten(house: House) -> None:
    added = add(house)
    with house.gateway.store.transaction() as tx:
        remove_integration(tx, house.gateway.vault, house.tenant.id, "oidc")
        row = tx.one("SELECT client_secret FROM integrations WHERE id = :id", id=added.id)
    assert row is not None
    assert bytes(row["client_secret"]) == b""
    for word in (added.id, "oidc"):
        with pytest.raises(NotFound):
            find(house, word)
    with pytest.raises(NotFound), house.gateway.store.transaction() as tx:
        remove_integration(tx, house.gateway.vault, house.tenant.id, "oidc")
    assert add(house).id != added.id


def test_each_integration_has_a_callback_of_its_own(house: House) -> None:
    one, two = registration_of(house.gateway, add(house)), registration_of(house.gateway, house.integration)
    assert one.redirect_uri != two.redirect_uri
    assert two.redirect_uri == f"http://127.0.0.1:8080/callback/{house.integration.id}"
    assert two.development


def test_the_operators_settings_for_a_provider_reach_its_adapter(house: House) -> None:
    facebook = add(house, provider="facebook", issuer="")
    assert registration_of(house.gateway, facebook).settings == {"graph_version": "v25.0"}
    pinned = add(house, provider="facebook", issuer="", name="pinned", settings={"graph_version": "v24.0"})
    assert registration_of(house.gateway, pinned).settings == {"graph_version": "v24.0"}
