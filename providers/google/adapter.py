"""Google's capabilities: OpenID Connect with a few words of its own, and the People API.

Sources: developers.google.com/identity/protocols/oauth2/web-server, /openid-connect; people.py for the People API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from providers.capabilities import Account, Ask, Grant, Item, Page, Registration, Revoked
from providers.cards import Sorting
from providers.exchange import Exchange, post_form
from providers.google import people
from providers.oauth2 import error_code, read, token_failure
from providers.oidc import OpenIDConnect

ISSUER = "https://accounts.google.com"

_SIGN_IN = frozenset({"openid", "profile", "email"})


class Google(OpenIDConnect):
    """The adapter. Own profile write-back is absent: Google lets no app change it."""

    name = "google"

    def issuer(self, registration: Registration) -> str:
        """Google's issuer; in development a stand-in's, where the settings name one."""
        stand_in = registration.settings.get("base_url", "") if registration.development else ""
        return stand_in.rstrip("/") or ISSUER

    def extra_params(self, ask: Ask, scopes: tuple[str, ...]) -> Mapping[str, str]:
        """Offline access always. A refresh token comes for sure only with a consent page.

        Plain sign-in leaves that page out: its first consent gives a refresh token all the same, and a later sign-in
        keeps the one that is stored. What reaches further, or asks again, shows it.
        """
        params = {**super().extra_params(ask, scopes), "access_type": "offline"}
        if not ask.prompt and (ask.rerequest or not set(scopes) <= _SIGN_IN):
            params["prompt"] = "consent"
        return params

    def account(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """By the ID token; with birthday or age range from the People API where the grant opens them."""
        account = yield from super().account(registration, grant)
        return (yield from self._with_age(registration, grant, account))

    def whose(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """By userinfo; the rest as `account`."""
        account = yield from super().whose(registration, grant)
        return (yield from self._with_age(registration, grant, account))

    def _with_age(self, registration: Registration, grant: Grant, account: Account) -> Exchange[Account]:
        fields = ",".join(name for name in ("birthdays", "ageRanges") if name in people.extra_fields(grant).split(","))
        if not fields:
            return account
        me = yield from people.me(registration, grant, fields)
        return replace(account, birthdate=people.birthdate(me) or account.birthdate, age_range=people.age_range(me))

    def revoke(self, registration: Registration, grant: Grant) -> Exchange[Revoked]:
        """End the grant by its refresh or access token. A token that is dead already is `invalid_token`, with 400."""
        metadata = yield from self.metadata(registration)
        token = grant.refresh_token or grant.access_token
        response = yield from read(post_form(metadata.revocation_endpoint, [("token", token.reveal())]))
        if response.ok:
            return Revoked("confirmed")
        if error_code(response) == "invalid_token":
            return Revoked("already_gone")
        raise token_failure(response)

    def profile(self, registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
        """Userinfo, and from people/me what wider scopes open."""
        page = yield from super().profile(registration, grant, categories)
        page = Page(tuple(map(_without_domain, page.items)))
        fields = people.extra_fields(grant, categories)
        if not fields:
            return page
        me = yield from people.me(registration, grant, fields)
        seen = Sorting(categories=categories)
        people.sort_person(seen, me)
        more = seen.item("", birthdate=people.birthdate(me), age_range=people.age_range(me))
        return Page((_joined(page.items[0], more),))

    def contacts(
        self, registration: Registration, grant: Grant, *, cursor: str | None, sync_cursor: str | None
    ) -> Exchange[Page]:
        """See `people.contacts`."""
        return people.contacts(registration, grant, cursor, sync_cursor)


def _without_domain(item: Item) -> Item:
    """`hd`, the domain of a Workspace account, is Google's own claim: known, and left."""
    strangers = tuple(name for name in item.strangers if name != "hd")
    return replace(item, strangers=strangers, ignored=(*item.ignored, *set(item.strangers) - set(strangers)))


def _joined(claims: Item, person: Item) -> Item:
    """Both as one item. An address that userinfo gave too is taken once, from there."""
    known = {str(value.value) for value in claims.values}
    heads = {value.pointer for value in claims.values}
    more = tuple(v for v in person.values if v.pointer not in heads and str(v.value) not in known)
    return replace(
        claims,
        values=(*claims.values, *more),
        ignored=tuple(dict.fromkeys((*claims.ignored, *person.ignored))),
        strangers=tuple(dict.fromkeys((*claims.strangers, *person.strangers))),
        birthdate=person.birthdate or claims.birthdate,
        age_range=person.age_range or claims.age_range,
    )
