"""Registering, finding and removing clients; their secrets."""

from __future__ import annotations

import pytest

from connector.clients import (
    PERSON_SCOPES,
    Client,
    NewClient,
    Presented,
    add_client,
    add_tenant,
    authenticate,
    client_called,
    clients_of,
    find_client,
    find_tenant,
    remove_client,
    rotate_secret,
    tenant_named,
    tenants,
)
from connector.clients import clients as clients_module
from connector.model.errors import BadInput, Conflict, NotFound, Unauthenticated
from providers.secret import Secret
from tests.clock import ManualClock
from tests.gateways import APP_CALLBACK, House, web_client


def add(house: House, new: NewClient, *, development: bool = True) -> tuple[Client, Secret | None]:
    with house.gateway.store.transaction() as tx:
        return add_client(tx, house.gateway.vault, new, development=development)


def find(house: House, client_id: str) -> Client:
    with house.gateway.store.read() as tx:
        return find_client(tx, house.gateway.vault, client_id)


def enter(house: House, client_id: str, secret: Secret | None) -> Client:
    with house.gateway.store.read() as tx:
        return authenticate(tx, house.gateway.vault, Presented(client_id, secret), audiences=())


def enters(house: House, client_id: str, secret: Secret | None) -> bool:
    try:
        return enter(house, client_id, secret).id == client_id
    except Unauthenticated:
        return False


def rotate(house: House, client_id: str, **parts: int) -> Secret:
    with house.gateway.store.transaction() as tx:
        return rotate_secret(tx, house.gateway.vault, client_id, **parts)


def test_a_client_comes_back_as_it_was_registered(house: House) -> None:
    new = web_client(
        house.tenant,
        name="full",
        scopes=("openid", "connections:read"),
        purposes=("sync", "account"),
        integrations=("rehearsal",),
        require_par=True,
    )
    client, _ = add(house, new)
    assert find(house, client.id) == client
    assert client.integrations == (house.integration.id,)
    assert client.default_purpose == "sync"
    assert client.require_par
    assert client.may_use(house.integration.id)
    assert not client.may_use("int_other")


def test_a_worker_gets_token_exchange_alone_unless_told_otherwise(house: House) -> None:
    worker, _ = add(house, NewClient(house.tenant.id, "bare", "worker"))
    assert worker.scopes == ("tokens:exchange",)
    assert worker.purposes == ("service",)


def test_a_web_app_gets_no_provider_tokens_unless_told_so(house: House) -> None:
    assert "tokens:exchange" not in house.web.scopes
    assert set(PERSON_SCOPES) < set(house.web.scopes)
    told, _ = add(house, web_client(house.tenant, name="told", scopes=("openid", "tokens:exchange")))
    assert told.scopes == ("openid", "tokens:exchange")


def test_a_client_without_named_integrations_may_use_each(house: House) -> None:
    assert house.web.may_use("int_anything")


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"scopes": ("openid", "admin")}, "unknown_scope"),
        ({"purposes": ("world_domination",)}, "unknown_purpose"),
        ({"purposes": ()}, "unknown_purpose"),
        ({"integrations": ("nowhere",)}, "unknown_integration"),
        ({"authentication": "none"}, "unknown_authentication"),
        ({"authentication": "private_key_jwt"}, "bad_jwks"),
        ({"jwks": {"keys": []}}, "bad_jwks"),
        ({"name": ""}, "bad_name"),
        ({"name": " x"}, "bad_name"),
        ({"name": "a\nb"}, "bad_name"),
        ({"redirect_uris": ()}, "missing_redirect_uri"),
    ],
)
def test_what_cannot_be_registered_says_how_to_mend_it(house: House, parts: dict[str, object], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        add(house, web_client(house.tenant, **({"name": "new"} | parts)))
    assert caught.value.code == code
    assert caught.value.hint.endswith(".")


def test_a_client_is_web_or_worker(house: House) -> None:
    with pytest.raises(BadInput, match="use web or worker"):
        add(house, NewClient(house.tenant.id, "new", "native"))


@pytest.mark.parametrize("parts", [{"redirect_uris": (APP_CALLBACK,)}, {"scopes": ("openid",)}, {"require_par": True}])
def test_a_worker_signs_nobody_up(house: House, parts: dict[str, object]) -> None:
    with pytest.raises(BadInput) as caught:
        add(house, NewClient(house.tenant.id, "new", "worker", **parts))
    assert caught.value.code == "worker_redirects"


def test_an_integration_of_another_tenant_cannot_be_named(house: House) -> None:
    with pytest.raises(BadInput):
        add(house, web_client(house.other_tenant, name="new", integrations=(house.integration.id,)))


def test_names_are_unique_within_a_tenant_only(house: House) -> None:
    with pytest.raises(Conflict):
        add(house, web_client(house.tenant))
    assert house.other.name == house.web.name


def test_a_row_changed_in_the_database_is_no_client(house: House) -> None:
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE clients SET redirect_uris = '[\"https://evil.example/\"]' WHERE id = :id", id=house.web.id)
    with pytest.raises(NotFound):
        find(house, house.web.id)
    assert not enters(house, house.web.id, house.web_secret)
    with house.gateway.store.read() as tx:
        assert house.web.id not in {one.id for one in clients_of(tx, house.gateway.vault, house.tenant.id)}


def test_without_the_row_seal_a_changed_redirect_uri_would_be_believed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients_module, "intact", lambda *_: True)
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE clients SET redirect_uris = '[\"https://evil.example/\"]' WHERE id = :id", id=house.web.id)
    assert find(house, house.web.id).redirect_uris == ("https://evil.example/",)


def test_a_removed_client_is_gone_and_its_name_is_free(house: House) -> None:
    with house.gateway.store.transaction() as tx:
        remove_client(tx, house.gateway.vault, house.web.id)
    with pytest.raises(NotFound):
        find(house, house.web.id)
    assert not enters(house, house.web.id, house.web_secret)
    with pytest.raises(NotFound), house.gateway.store.transaction() as tx:
        remove_client(tx, house.gateway.vault, house.web.id)
    again, _ = add(house, web_client(house.tenant))
    assert again.id != house.web.id


def test_a_client_is_found_by_name_in_its_tenant_alone(house: House) -> None:
    with house.gateway.store.read() as tx:
        assert client_called(tx, house.gateway.vault, house.tenant.id, "worker") == house.worker
        assert client_called(tx, house.gateway.vault, house.tenant.id, house.web.id) == house.web
        with pytest.raises(NotFound):
            client_called(tx, house.gateway.vault, house.other_tenant.id, "worker")
        with pytest.raises(NotFound):
            client_called(tx, house.gateway.vault, house.other_tenant.id, house.worker.id)
        assert [one.name for one in clients_of(tx, house.gateway.vault, house.tenant.id)] == ["web", "worker"]


def test_the_right_secret_enters_and_no_other(house: House) -> None:
    assert enter(house, house.web.id, house.web_secret) == house.web
    for wrong in (house.worker_secret, house.other_secret, Secret(""), Secret("x" * 9999), Secret("\ud800")):
        assert not enters(house, house.web.id, wrong)
    for name in ("", "cli_nobody", house.worker.id, "x" * 9999, "cli_\0", "ü"):
        assert not enters(house, name, house.web_secret)


def test_a_secret_is_kept_as_a_hash_alone(house: House) -> None:
    with house.gateway.store.read() as tx:
        rows = [dict(row) for row in tx.all("SELECT * FROM client_secrets")]
    assert house.web_secret.reveal() not in str(rows)
    assert house.web_secret.reveal().startswith("gwcs_")


def test_rotation_ends_the_old_secret_at_once(house: House) -> None:
    new = rotate(house, house.web.id)
    assert enters(house, house.web.id, new)
    assert not enters(house, house.web.id, house.web_secret)


def test_rotation_can_keep_the_old_secret_for_a_while(house: House, clock: ManualClock) -> None:
    new = rotate(house, house.web.id, keep_previous_s=60)
    assert enters(house, house.web.id, house.web_secret)
    clock.advance(60)
    assert not enters(house, house.web.id, house.web_secret)
    assert enters(house, house.web.id, new)


def test_a_second_rotation_does_not_prolong_a_secret_that_is_ending(house: House, clock: ManualClock) -> None:
    rotate(house, house.web.id, keep_previous_s=60)
    rotate(house, house.web.id, keep_previous_s=3600)
    clock.advance(61)
    assert not enters(house, house.web.id, house.web_secret)


def test_only_so_many_secrets_live_at_once(house: House) -> None:
    for _ in range(4):
        rotate(house, house.web.id, keep_previous_s=60)
    with pytest.raises(BadInput) as caught:
        rotate(house, house.web.id, keep_previous_s=60)
    assert caught.value.code == "too_many_secrets"
    assert enters(house, house.web.id, rotate(house, house.web.id))


def test_a_secret_put_into_the_database_does_not_enter(house: House) -> None:
    with house.gateway.store.transaction() as tx:
        row = tx.one("SELECT * FROM client_secrets WHERE client_id = :id", id=house.worker.id)
        assert row is not None
        tx.run("UPDATE client_secrets SET client_id = :to WHERE id = :id", to=house.web.id, id=row["id"])
    assert not enters(house, house.web.id, house.worker_secret)


def test_a_secret_prolonged_in_the_database_does_not_enter(house: House, clock: ManualClock) -> None:
    rotate(house, house.web.id, keep_previous_s=60)
    clock.advance(61)
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE client_secrets SET expires_at = NULL WHERE client_id = :id", id=house.web.id)
    assert not enters(house, house.web.id, house.web_secret)


def test_nobody_rotates_what_is_not_there(house: House) -> None:
    with pytest.raises(NotFound):
        rotate(house, "cli_nobody")


def test_tenants_are_found_by_name_or_id_and_exist_once(house: House) -> None:
    with house.gateway.store.transaction() as tx:
        assert tenant_named(tx, "shop") == tenant_named(tx, house.tenant.id) == house.tenant
        assert tenant_named(tx, "nobody") is None
        assert [tenant.name for tenant in tenants(tx)] == ["rival", "shop"]
        with pytest.raises(NotFound):
            find_tenant(tx, "nobody")
        with pytest.raises(Conflict):
            add_tenant(tx, house.gateway.vault, "shop")
        with pytest.raises(BadInput):
            add_tenant(tx, house.gateway.vault, "")
