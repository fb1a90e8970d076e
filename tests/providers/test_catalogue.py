from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from providers import catalogue
from providers.capabilities import FIELD_GROUPS
from providers.catalogue import CAPABILITIES, CatalogueError, read_entry
from tests.contracts.shapes import SHAPES, Changes, shaped

SHIPPED = Path(catalogue.__file__).with_suffix("")


@pytest.fixture
def oidc(tmp_path: Path) -> Path:
    path = tmp_path / "oidc.toml"
    path.write_text((SHIPPED / "oidc.toml").read_text())
    return path


def test_every_provider_of_the_first_product_has_an_entry() -> None:
    assert set(catalogue.names()) >= {"rehearsal", "oidc", "facebook", "google", "github"}


@pytest.mark.parametrize("name", [name for name in catalogue.names() if catalogue.entry(name).adapter])
def test_an_entry_claims_what_its_adapter_implements_and_no_more(name: str) -> None:
    entry = catalogue.entry(name)
    adapter = catalogue.adapter(name)
    assert adapter.name == name
    assert {word for word, kind in CAPABILITIES.items() if isinstance(adapter, kind)} == set(entry.capabilities)
    assert getattr(adapter, "signal_kinds", ()) == entry.signals


def test_what_a_provider_lacks_is_said_in_a_sentence() -> None:
    for entry in map(catalogue.entry, catalogue.names()):
        assert set(entry.capabilities) | set(entry.lacks) == set(CAPABILITIES), entry.name
        assert all(words.endswith(".") for words in (*entry.lacks.values(), *entry.conditions.values())), entry.name


def test_an_entry_is_json_with_the_public_names() -> None:
    for entry in map(catalogue.entry, catalogue.names()):
        shown = json.loads(json.dumps(entry.as_json()))
        assert {
            "name", "protocol", "authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint",
            "scope_separator", "pkce", "refresh", "capabilities", "verified_on", "source",
        } <= set(shown), entry.name  # fmt: skip
        assert "adapter" not in shown


def test_facebook_says_why_it_cannot_write_a_personal_profile() -> None:
    entry = catalogue.entry("facebook")
    assert "not personal profiles" in entry.conditions["write_back"]
    assert (entry.scope_separator, entry.refresh.model) == (",", "exchange")


def test_a_setting_of_an_integration_is_told_in_a_sentence() -> None:
    for entry in map(catalogue.entry, catalogue.names()):
        assert all(words.endswith(".") for words in entry.settings.values()), entry.name


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


WRONG = [  # what stands there, what is put there, which key is complained of, and on which of the new lines (from 0)
    ('title = "', 'titel = "', "titel", 0),
    ('pkce = "supported"', 'pkce = "supported"\npksi = "x"', "pksi", 1),
    ('pkce = "supported"', "pkce = 7", "pkce", 0),
    ('pkce = "supported"', 'pkce = "plain"', "pkce", 0),
    ('name = "oidc"', 'name = "other"', "name", 0),
    ('protocol = "openid"', 'protocol = "saml"', "protocol", 0),
    ('sector = "identity"', 'sector = "shoes"', "sector", 0),
    ('model = "unknown"', 'model = "eternal"', "refresh.model", 0),
    ('model = "unknown"', 'model = "unknown"\ngraze_s = 1', "refresh.graze_s", 1),
    ('token_endpoint = ""', 'token_endpoint = "http://x.example/token"', "token_endpoint", 0),
    ('token_endpoint = ""', 'token_endpoint = "https://x.example/token?a=b"', "token_endpoint", 0),
    ('token_endpoint = ""', 'token_endpoint = "https://me@x.example/token"', "token_endpoint", 0),
    ('token_endpoint = ""', 'token_endpoint = "https://{place}.example/token"', "token_endpoint", 0),
    ('revocation_scope = "grant"', 'revocation_scope = "world"', "revocation_scope", 0),
    ("code_lifetime_s = 60", "code_lifetime_s = true", "code_lifetime_s", 0),
    ('"import_profile"]', '"fly"]', "capabilities", 0),
    ('"import_profile"]', "7]", "capabilities", 0),
    ('"import_profile"]', '"import_profile", "import_contacts"]', "lacks.import_contacts", None),
    ('["authorise", ', "[", "capabilities", 0),
    ('verified_on = "2026-11-22"', 'verified_on = "lately"', "verified_on", 0),
    ('default_scopes = ["openid"', 'default_scopes = ["openit"', "default_scopes", 0),
    ('imports = ["profile"]', 'imports = ["everything"]', "scopes.profile.imports", 0),
    ("[lacks]", "[lacks]\nfly = 'no'", "lacks.fly", 1),
    ("[conditions]", "[conditions]\nwrite_back = 'Sometimes.'", "conditions.write_back", 1),
    ("[conditions]", "[conditions]\nauthorise = 'without a full stop'", "conditions.authorise", 1),
    ('pkce = "supported"', 'pkce = "supported"\nsignals = ["x"]', "signals", 1),
    ('adapter = "providers.oidc:OpenIDConnect"', 'adapter = "providers.oidc"', "adapter", 0),
    ("[settings]", "[settings]\nshoes = 44", "settings.shoes", 1),
    ("[scopes.openid]", '[scopes.openid]\nwrites = ["shoes"]', "scopes.openid.writes", 1),
    ("[registration]", "[registration]\nfee = 9", "registration.fee", 1),
]


@pytest.mark.parametrize(("old", "new", "key", "line"), WRONG)
def test_a_wrong_entry_stops_with_file_line_and_key(oidc: Path, old: str, new: str, key: str, line: int | None) -> None:
    text = oidc.read_text()
    assert old in text
    oidc.write_text(text.replace(old, new, 1))
    number = r"\d+" if line is None else text[: text.index(old)].count("\n") + 1 + line

    with pytest.raises(CatalogueError, match=rf"^oidc\.toml:{number}: {key}: "):
        read_entry(oidc)


def test_a_capability_without_its_scope_stops_with_its_line(oidc: Path) -> None:
    text = "\n".join(line for line in oidc.read_text().split("\n") if not line.startswith("imports ="))
    oidc.write_text(text)

    with pytest.raises(CatalogueError, match=r"^oidc\.toml:\d+: capabilities: import_profile without its scope"):
        read_entry(oidc)


def test_what_is_missing_stops_with_its_table(oidc: Path) -> None:
    text = oidc.read_text()
    line = text[: text.index("[refresh]")].count("\n") + 1
    oidc.write_text(text.replace('model = "unknown"', "", 1))

    with pytest.raises(CatalogueError, match=rf"^oidc\.toml:{line}: refresh\.model: missing"):
        read_entry(oidc)


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        ("https://docs.shape.example/more", False),
        ("https://github.com/other/shape", True),
        ("https://elsewhere.example", True),
    ],
)
def test_two_sources_are_independent_of_each_other(tmp_path: Path, other: str, taken: bool) -> None:
    changed = {"https://other.example/shape": other}
    if taken:
        assert shaped(tmp_path, changed).sources[1] == other
        return
    with pytest.raises(CatalogueError, match="sources: name two that are independent"):
        shaped(tmp_path, changed)


@pytest.mark.parametrize(
    "pattern",
    ["[a-z.]+", ".*", "[a-z/]+", "[^/]+", "[A-Za-z]+", "[a-z]*", "[a-z]+:?[0-9]*", "[a-z@]+", "[a-z", "[a-z%]+"],
)
def test_a_customers_part_of_an_address_cannot_lead_elsewhere(tmp_path: Path, pattern: str) -> None:
    changes = dict(SHAPES["each customer's host"])
    changes["[scopes.me]"] = changes["[scopes.me]"].replace("[a-z0-9][a-z0-9-]{0,61}", pattern)

    with pytest.raises(CatalogueError, match=r"shape\.toml:\d+: parameters\.domain\.pattern: "):
        shaped(tmp_path, changes)


def test_unknown_is_a_fact_and_reads_as_none(tmp_path: Path) -> None:
    entry = shaped(tmp_path, {"code_lifetime_s = 60": 'code_lifetime_s = "unknown"', "[profile]": "[profile]"})

    assert entry.code_lifetime_s is None
    assert entry.code_lives_s == 60


PLAIN_AND_WRONG = [
    ({"[token]": "[token]\nshoes = 1"}, "token.shoes"),
    ({"client_secret_basic": "private_key_jwt"}, "token.authentication"),
    ({'"import_profile"]': '"import_profile", "write_back"]'}, "capabilities"),
    ({'model = "rotating"': 'model = "exchange"'}, "refresh.model"),
    ({'model = "rotating"': 'model = "rotating"\nneeds_scope = "offline"'}, "refresh.needs_scope"),
    ({'revocation_scope = "grant"': 'revocation_scope = "none"'}, "revocation_scope"),
    ({"[scopes.me]": "[revocation]\nmethod = 'GET'\n\n[scopes.me]"}, "revocation.body"),
    ({"[scopes.me]": "[revocation]\nbody = 'none'\n\n[scopes.me]"}, "revocation.authentication"),
    ({"[scopes.me]": "[authorization.parameters]\nstate = 'x'\n\n[scopes.me]"}, "authorization.parameters.state"),
    ({"[scopes.me]": "[token.headers]\nAuthorization = 'x'\n\n[scopes.me]"}, "token.headers.Authorization"),
    ({"[scopes.me]": "[errors]\ngone = ['1']\nlater = ['1']\n\n[scopes.me]"}, "errors.later"),
    ({"[scopes.me]": "[limits]\nreset_header = 'x-reset'\n\n[scopes.me]"}, "limits.reset_header"),
    ({'subject = "id"': 'subject = "a..b"'}, "profile.subject"),
    ({'ignored = ["kind"]': 'ignored = ["mail"]'}, "profile.ignored"),
    ({'email = "mail"': "email = true"}, "profile.claims.email"),
    ({'email = "mail"': 'shoe_size = "mail"'}, "profile.claims.shoe_size"),
    ({'userinfo_endpoint = "https://api.shape.example/me"\n': ""}, "userinfo_endpoint"),
    ({'words = "Your name"': 'words = "Your name."'}, "scopes.me.words"),
    ({'scope_separator = " "': 'scope_separator = ""'}, "scope_separator"),
    ({"[scopes.me]": "[[quirks]]\non = 'June'\nwords = 'It is odd.'\n\n[scopes.me]"}, "quirks.0.on"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "key"), PLAIN_AND_WRONG)
def test_a_plain_entry_that_cannot_work_stops_with_its_line(tmp_path: Path, changes: Changes, key: str) -> None:
    with pytest.raises(CatalogueError, match=rf"^shape\.toml:\d+: {key}: "):
        shaped(tmp_path, changes)


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
