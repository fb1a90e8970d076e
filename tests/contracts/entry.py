"""What every plain entry of the catalogue must be able to do, against the provider that is made from it.

A clause is a function whose first line says what holds. The same clauses are run by pytest for every entry, and by
`make provider NAME=…` for one, which prints the sentences that do not hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from providers import catalogue
from providers.capabilities import Account, Ask, Callback, Grant, Item, Page, Registration, Revoked
from providers.catalogue import CAPABILITIES, Entry
from providers.errors import Kind, ProviderError
from providers.exchange import Exchange, NetworkFailure, Response
from providers.generic import adapter_of, register_app
from providers.secret import Secret
from tests.standins.by_entry import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, Provider, Refused
from tests.standins.by_entry.documents import SAMPLES, STRANGER, told
from tests.standins.by_entry.provider import NOW, SUBJECT

T = TypeVar("T")
ALL = frozenset({"profile", "contact", "people"})
_CONTACT = frozenset({"email", "phone_number", "location"})


def plain() -> tuple[str, ...]:
    """The entries without a Python adapter: those that this contract is for."""
    return tuple(name for name in catalogue.names() if not catalogue.entry(name).adapter)


@dataclass
class Case:
    """An entry's adapter and the provider it talks to, made from `truth` where a test wants the two to differ."""

    entry: Entry
    truth: Entry | None = None
    adapter: Any = None
    provider: Provider = field(init=False)

    def __post_init__(self) -> None:
        self.provider = Provider(self.truth or self.entry)
        self.adapter = self.adapter or adapter_of(self.entry)
        self.ask = Ask(Secret("s" * 43), Secret("n" * 43), Secret("v" * 43))

    @property
    def registration(self) -> Registration:
        scopes = tuple(dict.fromkeys((*self.entry.default_scopes, *self.entry.scopes)))
        return Registration(
            CLIENT_ID, Secret(CLIENT_SECRET), REDIRECT_URI, scopes=scopes, settings=self.provider.settings()
        )

    def run(self, exchange: Exchange[T]) -> T:
        """The exchange's result; every request is the provider's to answer."""
        try:
            request = next(exchange)
            while True:
                request = exchange.send(self.provider.answer(request))
        except StopIteration as end:
            result: T = end.value
            return result

    def code(self) -> Callback:
        brought = self.provider.browse(self.run(self.adapter.authorization_url(self.registration, self.ask)))
        return Callback(Secret(brought["code"]))

    def redeem(self, callback: Callback, **changes: Any) -> Grant:
        registration = replace(self.registration, **changes)
        grant: Grant = self.run(self.adapter.redeem(registration, callback, self.ask, now=NOW))
        return grant

    def grant(self) -> Grant:
        return self.redeem(self.code())

    def account(self, grant: Grant) -> Account:
        account: Account = self.run(self.adapter.account(self.registration, grant))
        return account

    def item(self, grant: Grant, categories: frozenset[str] = ALL) -> Item:
        page: Page = self.run(self.adapter.profile(self.registration, grant, categories))
        return page.items[0]

    def refresh(self, grant: Grant) -> Grant:
        fresh: Grant = self.run(self.adapter.refresh(self.registration, grant, now=NOW))
        return fresh

    def revoke(self, grant: Grant) -> Revoked:
        revoked: Revoked = self.run(self.adapter.revoke(self.registration, grant))
        return revoked

    def fails(self, what: Callable[[], Any], kind: Kind) -> ProviderError:
        """The failure, which must be of this kind."""
        error = failure_of(what)
        assert error is not None, f"it goes well, and should be {kind}"
        assert error.kind == kind, f"it is {error.kind} ({error.code}), not {kind}"
        return error

    @property
    def by_userinfo(self) -> bool:
        profile = self.entry.profile
        return bool(self.entry.userinfo_endpoint) and (profile is None or profile.source == "userinfo")


def failure_of(what: Callable[[], Any]) -> ProviderError | None:
    """How it fails; None where it goes well."""
    try:
        what()
    except ProviderError as error:
        return error
    return None


# ---- clauses ---------------------------------------------------------------------------------------------------------


def claims_what_it_does(case: Case) -> None:
    """The adapter has the capabilities that the entry claims, and no more."""
    has = {word for word, kind in CAPABILITIES.items() if isinstance(case.adapter, kind)}
    assert has == set(case.entry.capabilities), f"the adapter has {sorted(has)}"


def asks_for_a_code(case: Case) -> None:
    """The browser is sent to the right address with state, PKCE where it is taken, every scope, and no secret."""
    url = case.run(case.adapter.authorization_url(case.registration, case.ask))
    sent = dict(parse_qsl(urlsplit(url).query))
    assert CLIENT_SECRET not in url
    assert "v" * 43 not in url
    (issued,) = [case.provider.codes[case.provider.browse(url)["code"]]]
    assert issued.params["state"] == "s" * 43
    assert set(case.registration.scopes) == set(issued.scopes), "the scopes that arrive are not those that were asked"
    assert case.entry.pkce == "none" or issued.params.get("code_challenge_method") == "S256", "there is no PKCE"
    assert not case.entry.pushed_authorization_request_endpoint or "code_challenge" not in sent or _openid(case)


def turns_a_code_into_a_grant(case: Case) -> None:
    """A code becomes a grant with what was granted."""
    grant = case.grant()
    assert grant.access_token.reveal().startswith("issued-access-"), "the access token is not where the entry says"
    assert set(grant.scopes or ()) == set(case.registration.scopes), f"the granted scopes are read as {grant.scopes}"
    assert grant.expires_in_s, "the lifetime is not where the entry says"
    assert bool(grant.refresh_token) == ("refresh" in case.entry.capabilities), "the refresh token is not read"


def knows_whose_it_is(case: Case) -> None:
    """The account has an exact issuer and subject, and the claims that the entry maps."""
    account = case.account(case.grant())
    assert (account.issuer, account.subject) == (case.provider.issuer, SUBJECT)
    assert account.issuer == case.adapter.issuer(case.registration)
    for claim, wanted in _told(case.entry).items():
        if claim != "email_verified" or "email" in account.claims:
            assert account.claims.get(claim) == wanted, f"{claim} is {account.claims.get(claim)!r}"


def reads_the_profile(case: Case) -> None:
    """Every mapped value is on the card once, in its category; what nobody knows is counted."""
    if "import_profile" not in case.entry.capabilities:
        return
    grant = case.grant()
    item = case.item(grant)
    on_card = json.dumps([value.value for value in item.values], ensure_ascii=False)
    for claim, said in _told(case.entry).items():
        wanted = said if claim != "birthdate" else '"year": 1815'
        assert claim == "email_verified" or str(wanted) in on_card, f"{claim} is not on the card"
    if case.entry.profile is not None:
        assert STRANGER in item.strangers, "a field that nobody knows is not counted"
        left = set(case.entry.profile.ignored) - set(item.ignored)
        assert not left, f"{sorted(left)} should be ignored"
    pointers = [value.pointer for value in item.values]
    assert len(pointers) == len(set(pointers)), "a place on the card is taken twice"
    only = {value.category for value in case.item(grant, frozenset({"contact"})).values}
    assert only <= {"contact"}, "more is taken than was wanted"
    assert bool(only) == bool(set(_told(case.entry)) & _CONTACT), "the address or number is not a contact value"


def refreshes(case: Case) -> None:
    """A refreshed grant works, keeps its scopes, and holds the refresh token that works next."""
    if "refresh" not in case.entry.capabilities:
        return
    grant = case.grant()
    fresh = case.refresh(grant)
    assert fresh.access_token != grant.access_token
    assert fresh.scopes == grant.scopes
    assert fresh.refresh_token is not None
    assert (fresh.refresh_token != grant.refresh_token) == (case.entry.refresh.model == "rotating")
    again = case.refresh(fresh)
    assert case.account(again).subject == SUBJECT
    if case.entry.refresh.model == "rotating":
        case.fails(lambda: case.refresh(grant), "rejected")


def revokes(case: Case) -> None:
    """A revoked grant is dead at the provider, and revoking it again is harmless."""
    if "revoke" not in case.entry.capabilities:
        return
    grant = case.grant()
    assert case.revoke(grant).outcome == "confirmed"
    assert not any(issued.alive for issued in case.provider.access.values()), "the grant still lives"
    if case.entry.revocation.authentication == "bearer":  # a dead bearer cannot ask; some then say that it is gone
        error = failure_of(lambda: case.revoke(grant))
        assert error is None or error.kind == "rejected", str(error)
    else:
        assert case.revoke(grant).outcome in {"confirmed", "already_gone"}
    if case.by_userinfo:
        case.fails(lambda: case.run(case.adapter.whose(case.registration, grant)), "rejected")


def uses_a_code_once(case: Case) -> None:
    """A code that was used, or is another browser's, is gone for good."""
    callback = case.code()
    case.redeem(callback)
    case.fails(lambda: case.redeem(callback), "rejected")
    other = case.code()
    case.ask = replace(case.ask, code_verifier=Secret("w" * 43))
    if case.entry.pkce != "none":
        case.fails(lambda: case.redeem(other), "rejected")


def says_that_the_registration_is_wrong(case: Case) -> None:
    """A wrong client secret or redirect URI is ours to mend, and never the person's."""
    if "client_secret" in str(case.entry.token.authentication[:1]) or _openid(case):
        case.fails(lambda: case.redeem(case.code(), client_secret=Secret("wrong")), "misconfigured")
    case.fails(lambda: case.redeem(case.code(), redirect_uri="https://gateway.example/other"), "misconfigured")


def sorts_the_errors_it_lists(case: Case) -> None:
    """Each error that the entry lists is sorted as it says, wherever tokens are asked for."""
    errors = case.provider.entry.errors
    kinds: Mapping[tuple[str, ...], Kind] = {
        ("invalid_grant", *errors.gone): "rejected",
        ("temporarily_unavailable", *errors.later): "try_later",
        ("invalid_client", *errors.misconfigured): "misconfigured",
        errors.denied: "denied",
    }
    listed = {code for codes in kinds.values() for code in codes} - {"invalid_grant"}
    for codes, kind in kinds.items():
        for code in codes:
            if code == "invalid_grant" and code in listed:
                continue
            callback = case.code()
            case.provider.faults["token"] = [case.provider.failure(code)]
            case.fails(lambda held=callback: case.redeem(held), kind)  # type: ignore[misc]


def sorts_dead_tokens_and_limits(case: Case) -> None:
    """A dead token is gone for good, a limit is for later, and the wait is the one that the provider says."""
    if not case.by_userinfo:
        return
    grant, limits = case.grant(), case.provider.entry.limits
    if case.entry.profile is not None:
        case.provider.faults["userinfo"] = [case.provider.dead_token()]
        case.fails(lambda: case.account(grant), "rejected")
    headers = {"date": "Thu, 01 Jan 2026 00:00:00 GMT", "retry-after": "77"}
    case.provider.faults["userinfo"] = [Response(429, headers, b"{}")]
    assert case.fails(lambda: case.account(grant), "try_later").retry_after_s == (
        77 if case.entry.profile is not None or _openid(case) else None
    )
    if limits.reset_header and case.entry.profile is not None:
        moments = {
            "seconds": "77",
            "epoch_s": "1767225677",
            "epoch_ms": "1767225677000",
            "iso_8601": "2026-01-01T00:01:17Z",
        }
        said = {"date": headers["date"], limits.reset_header: moments[limits.reset_is]}
        case.provider.faults["userinfo"] = [Response(429, said, b"{}")]
        assert case.fails(lambda: case.account(grant), "try_later").retry_after_s == 77, "the reset header is not read"


def says_when_nobody_knows(case: Case) -> None:
    """A lost answer to a code is ambiguous: it was sent once, and nobody may send it again."""
    exchange = case.adapter.redeem(case.registration, case.code(), case.ask, now=NOW)
    request = next(exchange)
    while not request.once:
        request = exchange.send(case.provider.answer(request))
    case.fails(lambda: exchange.throw(NetworkFailure("maybe", "timeout")), "ambiguous")


def refuses_another_issuer(case: Case) -> None:
    """An `iss` of another provider is a mismatch, before anything is sent with the code."""
    elsewhere = "https://elsewhere.example"
    case.fails(lambda: case.run(case.adapter.check_callback(case.registration, elsewhere)), "mismatch")
    callback = replace(case.code(), iss=elsewhere)
    case.fails(lambda: case.redeem(callback), "mismatch")


def registers_its_own_app(case: Case) -> None:
    """Where a server registers apps by itself, it gives ours the credentials with which it then signs in."""
    if not case.entry.registration.endpoint:
        return
    unregistered = replace(case.registration, client_id="", client_secret=Secret(""))
    made = case.run(register_app(case.entry, unregistered, "Gateway"))
    assert (made.client_id, made.client_secret) == (CLIENT_ID, Secret(CLIENT_SECRET)), "the credentials are not read"
    case.redeem(case.code(), client_id=made.client_id, client_secret=made.client_secret)


def keeps_secrets_out_of_urls(case: Case) -> None:
    """No request of the whole life of a grant carries a token or secret in its URL, or goes to another address."""
    grant = case.grant()
    case.account(grant)
    if "import_profile" in case.entry.capabilities:
        case.item(grant)
    if "refresh" in case.entry.capabilities:
        grant = case.refresh(grant)
    if "revoke" in case.entry.capabilities:
        case.revoke(grant)
    for request in case.provider.requests:
        for secret in ("issued-access-", "issued-refresh-", CLIENT_SECRET, "v" * 43):
            assert secret not in request.url
        assert request.url.startswith("https://")
    assert not case.provider.complaints, "; ".join(case.provider.complaints)


CLAUSES: tuple[Callable[[Case], None], ...] = (
    claims_what_it_does,
    asks_for_a_code,
    turns_a_code_into_a_grant,
    knows_whose_it_is,
    reads_the_profile,
    refreshes,
    revokes,
    uses_a_code_once,
    says_that_the_registration_is_wrong,
    sorts_the_errors_it_lists,
    sorts_dead_tokens_and_limits,
    says_when_nobody_knows,
    refuses_another_issuer,
    registers_its_own_app,
    keeps_secrets_out_of_urls,
)


def broken(entry: Entry, truth: Entry | None = None, adapter: Any = None) -> Iterator[str]:
    """The clauses that do not hold, each in a sentence with the reason."""
    adapter = adapter or adapter_of(entry)
    for clause in CLAUSES:
        case = Case(entry, truth, adapter)
        try:
            clause(case)
        except (AssertionError, AttributeError, ProviderError, Refused) as error:
            why = "; ".join(dict.fromkeys([*case.provider.complaints, str(error)]))
            yield f"Does not hold: {(clause.__doc__ or '').strip()} Because: {why}"


def _openid(case: Case) -> bool:
    return case.entry.protocol == "openid"


def _told(entry: Entry) -> dict[str, Any]:
    """What the account's claims should be. Of OpenID Connect's standard ones, a few."""
    if entry.profile is None:
        return {claim: SAMPLES[claim] for claim in ("name", "email", "picture")} if entry.userinfo_endpoint else {}
    return told(entry.profile, SUBJECT)
