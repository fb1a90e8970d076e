"""Providers with a host for each customer, or with anybody's own: what a host's name can do, and what it cannot."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from connector.egress import Egress
from providers import catalogue
from providers.capabilities import Account, Grant, Registration
from providers.catalogue import CatalogueError, Entry
from providers.entries.addresses import fits
from providers.entries.values import Parameter
from providers.errors import ProviderError
from providers.exchange import NetworkFailure
from providers.generic import adapter_of
from providers.secret import Secret
from tests.clock import ManualClock
from tests.contracts.entry import Case
from tests.contracts.shapes import SHAPES, Changes, shaped
from tests.standins.by_entry import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI

HOSTS: Changes = SHAPES["each customer's host"]
OWN_SERVER: Changes = {
    "login.shape.example": "{host}",
    "api.shape.example": "{host}",
    "[scopes.me]": "[parameters.host]\nwords = 'The name of the server.'\nkind = 'host'\nby = 'person'\n"
    "pattern = '[a-z0-9-]+([.][a-z0-9-]+)+'\nexample = 'social.example'\n\n[scopes.me]",
}


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    return shaped(tmp_path, OWN_SERVER)


def at(host: str, name: str = "host") -> Registration:
    """Our registration at one server."""
    return Registration(CLIENT_ID, Secret(CLIENT_SECRET), REDIRECT_URI, scopes=("me",), settings={name: host})


def account_at(entry: Entry, host: str) -> Account:
    """Account person-1 of that server."""
    parameters = {"host": replace(entry.parameters["host"], example=host)}
    case = Case(entry, truth=replace(entry, parameters=parameters))
    return case.account(case.grant())


def test_the_same_number_on_two_servers_is_two_accounts(entry: Entry) -> None:
    one, other = account_at(entry, "social.example"), account_at(entry, "evil.example")

    assert one.subject == other.subject
    assert (one.issuer, other.issuer) == ("https://social.example", "https://evil.example")


def test_twin_with_one_issuer_for_all_servers_the_two_would_be_one(entry: Entry, tmp_path: Path) -> None:
    careless = replace(entry, issuer="https://shape.example")
    one, other = account_at(careless, "social.example"), account_at(careless, "evil.example")
    assert (one.issuer, one.subject) == (other.issuer, other.subject)

    with pytest.raises(CatalogueError, match=r"issuer: must hold \{host\}"):
        shaped(tmp_path, {**OWN_SERVER, 'issuer = "https://{host}"': 'issuer = "https://shape.example"'})


def test_an_answer_of_another_server_is_a_mismatch_before_the_code_is_sent(entry: Entry) -> None:
    case = Case(entry)
    callback = replace(case.code(), iss="https://evil.example")
    before = len(case.provider.requests)

    with pytest.raises(ProviderError) as caught:
        case.redeem(callback)

    assert caught.value.kind == "mismatch"
    assert len(case.provider.requests) == before


@pytest.mark.parametrize(
    "host",
    ["", "social.example/..", "social.example:8443", "a@social.example", "social.example#", "127.0.0.1", "localhost",
     "social.example.", "SOCIAL.example", "[::1]", "0x7f.1", "10.1", "169.254.169.254", "social%2eexample", "a" * 300],
)  # fmt: skip
def test_a_name_that_is_none_sends_nothing_anywhere(entry: Entry, host: str) -> None:
    adapter, registration = adapter_of(entry), at(host)

    for exchange in (
        adapter.authorization_url(registration, Case(entry).ask),  # type: ignore[attr-defined]
        adapter.revoke(registration, Grant(Secret("t"))),  # type: ignore[attr-defined]
    ):
        with pytest.raises(ProviderError) as caught:
            next(exchange)
        assert (caught.value.kind, caught.value.code) == ("misconfigured", "setting_unusable")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00::1", "100.64.0.1"])
def test_a_public_name_that_leads_inside_gets_no_connection(entry: Entry, address: str) -> None:
    egress = Egress(ManualClock(), resolve=lambda *_: (ip_address(address),))
    exchange = adapter_of(entry).revoke(at("social.example"), Grant(Secret("t")))  # type: ignore[attr-defined]
    request = next(exchange)

    with pytest.raises(NetworkFailure) as caught:
        egress.send(request, provider="int_1")

    assert caught.value.sent == "no"
    egress.close()


@pytest.mark.parametrize(
    ("host", "pattern", "taken"),
    [
        ("{domain}.shape.example", "[a-z]+", True),
        ("{domain}.example", "[a-z]+", False),  # anybody can register that name
        ("shape.{domain}", "[a-z]+", False),
        ("shape.{domain}", "com|eu", True),
    ],
)
def test_a_label_stands_only_below_a_domain_of_the_providers(
    tmp_path: Path, host: str, pattern: str, taken: bool
) -> None:
    example = "com" if "com" in pattern else "acme"
    changes = {
        **HOSTS,
        "login.shape.example": host,
        "api.shape.example": host,
        "[scopes.me]": HOSTS["[scopes.me]"]
        .replace("[a-z0-9][a-z0-9-]{0,61}", pattern)
        .replace('example = "acme"', f'example = "{example}"'),
    }
    if taken:
        assert shaped(tmp_path, changes).parameters["domain"].pattern == pattern
        return
    with pytest.raises(CatalogueError, match=r"parameters\.domain\.pattern: lets anybody's domain stand there"):
        shaped(tmp_path, changes)


def test_twin_without_that_check_an_address_in_numbers_would_be_a_host() -> None:
    label = Parameter("The server.", "[a-z0-9.]+", "a.example", kind="label")

    assert fits(label, "169.254.169.254")
    assert not fits(replace(label, kind="host"), "169.254.169.254")


def test_every_shipped_host_of_customers_is_part_of_its_issuer() -> None:
    entries = [entry for entry in map(catalogue.entry, catalogue.names()) if entry.parameters]

    assert entries
    for entry in entries:
        hosts = {key for key, one in entry.parameters.items() if one.kind == "host"}
        assert all(f"{{{key}}}" in entry.issuer for key in hosts), entry.name
