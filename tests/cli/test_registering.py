"""Tenants, clients and integrations: added, listed, changed, ended; secrets shown once and never again."""

from __future__ import annotations

import json

import pytest

from connector.clients import Presented, authenticate, find_integration
from connector.model.errors import Unauthenticated
from providers.secret import Secret

BACK = "https://shop.example.org/callback"


def knows(town, client_id: str, secret: str) -> bool:
    """Whether the gateway takes this secret."""
    with town.store.transaction() as tx:
        try:
            authenticate(tx, town.gateway.vault, Presented(client_id, Secret(secret)), audiences=())
        except Unauthenticated:
            return False
    return True


def test_a_tenant_is_added_and_listed(desk):
    made = desk.json("tenants", "add", "bakery")
    assert made["id"].startswith("ten_")
    assert {one["name"] for one in desk.json("tenants", "list")} == {"bakery", "shop", "rival"}
    assert "bakery" in desk.run("tenants", "list").stdout


def test_a_tenant_is_not_added_twice(desk):
    done = desk.run("tenants", "add", "shop")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "choose another name" in done.stderr


def test_a_client_gets_a_secret_that_works_and_is_shown_once(desk, town):
    made = desk.json("clients", "add", "site", "--type", "web", "--tenant", "shop", "--redirect-uri", BACK)
    assert knows(town, made["id"], made["client_secret"])
    for words in (("clients", "list"), ("clients", "list", "--json")):
        assert made["client_secret"] not in desk.run(*words).output


def test_people_are_told_the_secret_in_words(desk):
    done = desk.run("clients", "add", "job", "--type", "worker", "--tenant", "shop")
    assert "gwcs_" in done.stdout
    assert "only time it is shown" in done.stdout


def test_which_tenant_must_be_said_where_there_are_several(desk):
    done = desk.run("clients", "add", "job", "--type", "worker")
    assert done.exit_code == 2
    assert "--tenant: rival, shop" in done.stderr


def test_a_client_gets_exactly_what_was_asked_for(desk):
    asked = ("--scope", "openid profile", "--scope", "records:read", "--purpose", "account", "--require-par")
    made = desk.json("clients", "add", "s", "--type", "web", "--tenant", "shop", "--redirect-uri", BACK, *asked)
    assert made["scopes"] == ["openid", "profile", "records:read"]
    assert made["purposes"] == ["account"]
    assert made["require_par"] is True


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--type", "web"), "needs at least one redirect URI"),
        (("--type", "web", "--redirect-uri", "http://shop.example.org/"), "use https"),
        (("--type", "web", "--redirect-uri", BACK, "--scope", "everything"), "is no known scope"),
        (("--type", "worker", "--purpose", "fun"), "is no known purpose"),
        (("--type", "worker", "--integration", "nobody"), "has no integration 'nobody'"),
        (("--type", "robot"), "Invalid value for '--type'"),
    ],
)
def test_a_client_that_cannot_be_registered_is_a_misuse_in_words(desk, words, sentence):
    done = desk.run("clients", "add", "site", "--tenant", "shop", *words)
    assert done.exit_code == 2
    assert sentence in done.stderr


def test_a_client_with_keys_of_its_own_has_no_secret(desk):
    keys = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
    file = desk.file("jwks.json", json.dumps(keys))
    made = desk.json("clients", "add", "job", "--type", "worker", "--tenant", "shop", "--jwks", file)
    assert made["authentication"] == "private_key_jwt"
    assert "client_secret" not in made
    done = desk.run("clients", "rotate-secret", made["id"])
    assert (done.exit_code, "no secret to rotate" in done.stderr) == (2, True)


@pytest.mark.parametrize("text", ["no json", "[]"])
def test_keys_that_are_none_are_a_misuse(desk, text):
    file = desk.file("jwks.json", text)
    assert desk.run("clients", "add", "j", "--type", "worker", "--tenant", "shop", "--jwks", file).exit_code == 2


def test_a_rotated_secret_replaces_the_one_before(desk, town):
    made = desk.json("clients", "rotate-secret", town.house.worker.id)
    assert knows(town, made["id"], made["client_secret"])
    assert not knows(town, made["id"], town.house.worker_secret.reveal())


def test_the_one_before_goes_on_for_as_long_as_was_said(desk, town):
    made = desk.json("clients", "rotate-secret", "worker", "--keep-previous", "24h")
    assert made["previous_end_in_s"] == 86_400
    assert knows(town, made["id"], town.house.worker_secret.reveal())


def test_a_length_of_time_that_is_none_is_a_misuse(desk):
    done = desk.run("clients", "rotate-secret", "worker", "--keep-previous", "a while")
    assert (done.exit_code, "is no length of time" in done.stderr) == (2, True)


def test_a_name_that_several_tenants_use_is_not_guessed(desk):
    done = desk.run("clients", "rotate-secret", "web")
    assert (done.exit_code, "name it by its id" in done.stderr) == (2, True)


def test_a_removed_client_is_gone(desk, town):
    assert desk.json("clients", "remove", "worker") == {"id": town.house.worker.id, "removed": True}
    assert not knows(town, town.house.worker.id, town.house.worker_secret.reveal())
    assert desk.run("clients", "remove", "worker").exit_code == 1


def added(desk, *words: str, secret: str = "s3cret") -> dict:
    file = desk.file("provider.secret", secret + "\n")
    made: dict = desk.json(
        "integrations", "add", "google", "--tenant", "shop", "--client-id", "id", "--client-secret-file", file, *words
    )
    return made


def test_an_integration_says_which_addresses_to_enter_there(desk):
    made = added(desk, "--import", "profile,contacts", "--sync-every", "6h")
    assert made["callback_url"] == f"http://127.0.0.1:8080/callback/{made['id']}"
    assert (made["imports"], made["sync_every_s"]) == (["profile", "contacts"], 21_600)
    assert desk.json("integrations", "show", "google")["id"] == made["id"]
    assert made["callback_url"] in desk.run("integrations", "show", made["id"]).stdout


def facebook_with(desk, *words: str):
    file = desk.file("provider.secret", "s3cret\n")
    return desk.run(
        "integrations", "add", "facebook", "--tenant", "shop", "--client-id", "id", "--client-secret-file", file, *words
    )


def test_an_integration_takes_the_settings_that_its_provider_has(desk, town):
    assert facebook_with(desk, "--setting", "page_id=2001", "--setting", "pkce=off").exit_code == 0
    with town.store.read() as tx:
        held = find_integration(tx, town.gateway.vault, town.house.tenant.id, "facebook")
    assert held.settings == {"page_id": "2001", "pkce": "off"}
    assert desk.json("integrations", "show", "facebook")["settings"] == {"page_id": "2001", "pkce": "off"}
    assert "page_id=2001 pkce=off" in desk.run("integrations", "show", "facebook").stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("page=2001",), "'page' is no setting of Facebook; use one of: graph_version, page_id, pkce."),
        (("page_id",), "write --setting KEY=VALUE"),
        (("page_id=",), "page_id needs 1 to 256 printable characters"),
        (("page_id=1", "page_id=2"), "page_id is there twice"),
    ],
)
def test_a_setting_that_the_provider_does_not_have_is_a_misuse_in_words(desk, words, sentence):
    done = facebook_with(desk, *(part for word in words for part in ("--setting", word)))
    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.split())


def test_the_settings_of_a_provider_are_shown_with_it(desk):
    assert "page_id" in desk.json("providers", "show", "facebook")["settings"]
    assert "page_id" in desk.run("providers", "show", "facebook").stdout


def test_the_secret_of_an_integration_is_kept_and_never_shown(desk, town):
    made = added(desk)
    with town.store.read() as tx:
        held = find_integration(tx, town.gateway.vault, town.house.tenant.id, made["id"])
    assert held.client_secret.reveal() == "s3cret"
    for words in (("list",), ("list", "--json"), ("show", "google"), ("show", "google", "--json")):
        assert "s3cret" not in desk.run("integrations", *words).output


def test_a_new_secret_replaces_it(desk, town):
    added(desk)
    assert desk.run("integrations", "set-secret", "google", "--file", "-", typed="newer\n").exit_code == 0
    with town.store.read() as tx:
        held = find_integration(tx, town.gateway.vault, town.house.tenant.id, "google")
    assert held.client_secret.reveal() == "newer"


def test_a_removed_integration_is_gone(desk):
    added(desk)
    assert desk.json("integrations", "remove", "google")["removed"] is True
    done = desk.run("integrations", "show", "google")
    assert (done.exit_code, "connector integrations list" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [("", 0o600, "must be one line"), ("two\nlines", 0o600, "must be one line"), ("s", 0o622, "chmod go-w")],
)
def test_a_secret_file_that_cannot_be_right_is_refused(desk, text, mode, sentence):
    file = desk.file("provider.secret", text, mode)
    done = desk.run(
        "integrations", "add", "google", "--tenant", "shop", "--client-id", "id", "--client-secret-file", file
    )
    assert done.exit_code == 2
    assert sentence in done.stderr


def test_a_secret_file_that_others_may_read_is_taken_with_a_warning(desk):
    file = desk.file("provider.secret", "s3cret", 0o644)
    done = desk.run(
        "integrations", "add", "google", "--tenant", "shop", "--client-id", "id", "--client-secret-file", file
    )
    assert done.exit_code == 0
    assert "chmod 600" in done.stderr
    assert "s3cret" not in done.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nobody",), "is no known provider"),
        (("oidc",), "needs --issuer"),
        (("google", "--import", "everything"), "is no known import"),
        (("google", "--sync-every", "1s"), "choose a longer time"),
    ],
)
def test_an_integration_that_cannot_be_is_a_misuse_in_words(desk, words, sentence):
    file = desk.file("provider.secret", "s3cret")
    done = desk.run(
        "integrations", "add", *words, "--tenant", "shop", "--client-id", "id", "--client-secret-file", file
    )
    assert done.exit_code == 2
    assert sentence in done.stderr
