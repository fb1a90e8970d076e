from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from providers import catalogue
from providers.capabilities import FIELD_GROUPS
from providers.catalogue import CAPABILITIES, CatalogueError, read_entry

SHIPPED = Path(catalogue.__file__).with_suffix("")


@pytest.fixture
def oidc(tmp_path: Path) -> Path:
    path = tmp_path / "oidc.toml"
    path.write_text((SHIPPED / "oidc.toml").read_text())
    return path


def test_every_provider_of_the_first_product_has_an_entry() -> None:
    assert set(catalogue.names()) >= {"rehearsal", "oidc", "facebook", "google", "github"}


@pytest.mark.parametrize("name", catalogue.names())
def test_an_entry_claims_what_its_adapter_implements_and_no_more(name: str) -> None:
    entry = catalogue.entry(name)
    adapter = catalogue.adapter(name)
    assert adapter.name == name
    assert {word for word, kind in CAPABILITIES.items() if isinstance(adapter, kind)} == set(entry.capabilities)
    assert getattr(adapter, "signal_kinds", ()) == entry.signals


@pytest.mark.parametrize("name", catalogue.names())
def test_what_a_provider_lacks_is_said_in_a_sentence(name: str) -> None:
    entry = catalogue.entry(name)
    assert set(entry.capabilities) | set(entry.lacks) == set(CAPABILITIES)
    assert all(words.endswith(".") for words in (*entry.lacks.values(), *entry.conditions.values()))


@pytest.mark.parametrize("name", catalogue.names())
def test_an_entry_is_json_with_the_public_names(name: str) -> None:
    shown = json.loads(json.dumps(catalogue.entry(name).as_json()))
    assert {
        "name", "protocol", "authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint",
        "scope_separator", "pkce", "refresh", "capabilities", "verified_on", "source",
    } <= set(shown)  # fmt: skip
    assert "adapter" not in shown


def test_facebook_says_why_it_cannot_write_a_personal_profile() -> None:
    entry = catalogue.entry("facebook")
    assert "not personal profiles" in entry.conditions["write_back"]
    assert (entry.scope_separator, entry.refresh.model) == (",", "exchange")


@pytest.mark.parametrize("name", catalogue.names())
def test_a_setting_of_an_integration_is_told_in_a_sentence(name: str) -> None:
    assert all(words.endswith(".") for words in catalogue.entry(name).settings.values())


def test_scopes_are_found_by_what_they_import() -> None:
    assert catalogue.entry("oidc").scopes_that_import("contact") == ("email", "phone", "address")
    writing = {group for scope in catalogue.entry("rehearsal").scopes.values() for group in scope.writes}
    assert writing <= set(FIELD_GROUPS)


def test_rehearsal_is_for_development() -> None:
    assert [name for name in catalogue.names() if catalogue.entry(name).development_only] == ["rehearsal"]


def test_an_adapter_is_made_once() -> None:
    assert catalogue.adapter("oidc") is catalogue.adapter("oidc")


def test_an_unknown_provider_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        catalogue.entry("nobody")
    with pytest.raises(KeyError):
        catalogue.entry("oidc").can("fly")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('title = "', 'titel = "', "title"),
        ('pkce = "supported"', 'pkce = "supported"\npksi = "x"', "pksi"),
        ('pkce = "supported"', "pkce = 7", "pkce"),
        ('pkce = "supported"', 'pkce = "plain"', "pkce"),
        ('name = "oidc"', 'name = "other"', "name"),
        ('protocol = "openid"', 'protocol = "saml"', "protocol"),
        ('model = "unknown"', 'model = "eternal"', "refresh.model"),
        ('model = "unknown"', 'model = "unknown"\ngraze_s = 1', "refresh.graze_s"),
        ('token_endpoint = ""', 'token_endpoint = "http://x"', "token_endpoint"),
        ('revocation_scope = "grant"', 'revocation_scope = "world"', "revocation_scope"),
        ("code_lifetime_s = 60", "code_lifetime_s = true", "code_lifetime_s"),
        ('"import_profile"]', '"fly"]', "capabilities"),
        ('"import_profile"]', "7]", "capabilities"),
        ('"refresh", ', "", "lacks.refresh"),
        ('verified_on = "2026-11-22"', 'verified_on = "lately"', "verified_on"),
        ('default_scopes = ["openid"', 'default_scopes = ["openit"', "default_scopes"),
        ('imports = ["profile"]', 'imports = ["everything"]', "scopes.profile.imports"),
        ("[lacks]", "[lacks]\nfly = 'no'", "lacks.fly"),
        ("[conditions]", "[conditions]\nwrite_back = 'sometimes'", "conditions.write_back"),
        ('policy_url = ""', 'policy_url = ""\nsignals = ["x"]', "signals"),
        ('adapter = "providers.oidc:OpenIDConnect"', 'adapter = "providers.oidc"', "adapter"),
        ("[settings]", "[settings]\nshoes = 44", "settings.shoes"),
        ("[scopes.openid]", '[scopes.openid]\nwrites = ["shoes"]', "scopes.openid.writes"),
    ],
)
def test_a_wrong_entry_stops_with_file_and_key(oidc: Path, old: str, new: str, key: str) -> None:
    text = oidc.read_text()
    assert old in text
    oidc.write_text(text.replace(old, new, 1))
    with pytest.raises(CatalogueError, match=rf"^oidc\.toml: {key}: "):
        read_entry(oidc)


def test_what_is_no_toml_stops_with_the_file(oidc: Path) -> None:
    oidc.write_text("= nothing")
    with pytest.raises(CatalogueError, match=r"^oidc\.toml: not readable"):
        read_entry(oidc)


def test_a_folder_without_entries_stops(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no entries"):
        catalogue.load(tmp_path)


def test_the_loader_names_no_adapter() -> None:
    source = Path(import_module("providers.catalogue").__file__ or "").read_text()
    assert not any(f"providers.{name}" in source for name in catalogue.names())
