"""The generic OpenID Connect adapter: authorization code flow with PKCE, refresh, revocation, userinfo."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from providers.capabilities import Account, Ask, Callback, Grant, Page, Registration, Revoked
from providers.errors import ProviderError
from providers.exchange import Exchange, Response, get, with_params
from providers.oauth2 import (
    TokenAnswer,
    authorization_params,
    check_iss,
    client_request,
    code_fields,
    read,
    refresh_fields,
    request_tokens,
    resource_failure,
    revoke_token,
    token_failure,
    token_text,
)
from providers.oidc.claims import about_person, to_item
from providers.oidc.id_token import (
    OUT_OF_TIME,
    Expected,
    Token,
    allowed_algorithms,
    check_claims,
    check_signature,
    check_subject,
    refuse,
    take_apart,
)
from providers.oidc.metadata import Metadata, MetadataCache
from providers.secret import Secret

_JWT = "application/jwt"
_NO_CLAIMS = "The provider gave no ID token, so nobody knows whose account this is. Start again."


class OpenIDConnect:
    """Any OpenID Connect provider, found by its issuer.

    Settings of a registration that are read here:
        algorithms: what may sign ID tokens; default RS256 ES256 PS256 EdDSA. Never taken from metadata.
        client_authentication: client_secret_basic or client_secret_post, where the metadata does not decide it.
        par: "required" (default: pushed where the provider demands it), "yes" (pushed where it can), "no" (never).

    A provider that differs in a few words builds on this class: `issuer`, `scopes`,
    `extra_params`, `client_authentication` and `read_answer` are its hooks.
    """

    name = "oidc"

    def __init__(self, cache: MetadataCache | None = None) -> None:
        self._cache = cache or MetadataCache()

    # ---- hooks -----------------------------------------------------------------------------------------------------

    def issuer(self, registration: Registration) -> str:
        """The registration's issuer, exactly as the operator gave it."""
        return registration.issuer

    def scopes(self, registration: Registration, ask: Ask) -> tuple[str, ...]:
        """What to ask for; `openid` always."""
        asked = ask.scopes or registration.scopes or ("profile", "email")
        return tuple(dict.fromkeys(("openid", *asked)))

    def extra_params(self, ask: Ask, scopes: tuple[str, ...]) -> Mapping[str, str]:
        """Parameters beyond those every request has. `offline_access` needs consent (Core 1.0 section 11)."""
        prompt = ask.prompt or ("consent" if "offline_access" in scopes or ask.rerequest else "")
        wanted = {
            "nonce": ask.nonce.reveal(),
            "prompt": prompt,
            "login_hint": ask.login_hint,
            "ui_locales": ask.ui_locales,
            "max_age": "" if ask.max_age is None or prompt == "none" else str(ask.max_age),
        }
        return {name: value for name, value in wanted.items() if value}

    def client_authentication(self, registration: Registration) -> str:
        """How the operator wants the client to authenticate; "" where the metadata may decide."""
        return registration.settings.get("client_authentication", "")

    def read_answer(self, response: Response) -> dict[str, Any]:
        """A token answer as RFC 6749 has it."""
        return response.json()

    # ---- authorises ------------------------------------------------------------------------------------------------

    def authorization_url(self, registration: Registration, ask: Ask) -> Exchange[str]:
        """Where to send the browser; pushed first (RFC 9126) where provider and settings say so."""
        metadata = yield from self.metadata(registration)
        scopes = self.scopes(registration, ask)
        params = [
            *authorization_params(registration, ask, scopes=scopes),
            *self.extra_params(ask, scopes).items(),
        ]
        if not _pushes(registration, metadata):
            return with_params(metadata.authorization_endpoint, params)
        request_uri = yield from self._push(registration, metadata, params)
        short = [("client_id", registration.client_id), ("request_uri", request_uri)]
        return with_params(metadata.authorization_endpoint, short)

    def check_callback(self, registration: Registration, iss: str | None) -> Exchange[None]:
        """Compare `iss` (RFC 9207); missing is an error where the provider says that it sends it."""
        metadata = yield from self.metadata(registration)
        check_iss(metadata.issuer, iss, required=metadata.sends_iss)

    def redeem(self, registration: Registration, callback: Callback, ask: Ask, *, now: int) -> Exchange[Grant]:
        """Exchange the code once, and take the answer only with an ID token for this very request."""
        metadata = yield from self.metadata(registration)
        check_iss(metadata.issuer, callback.iss, required=metadata.sends_iss)
        yield from self._cache.keys(registration, metadata)  # while failing is free: the code is not used up yet
        answer = yield from self._tokens(registration, metadata, code_fields(registration, callback, ask), now)
        if answer.id_token is None:
            raise ProviderError("mismatch", "id_token_missing", _NO_CLAIMS)
        expected = Expected(
            issuer=metadata.issuer,
            client_id=registration.client_id,
            now=now,
            nonce=ask.nonce,
            access_token=answer.access_token,
            max_age=None if ask.prompt == "none" else ask.max_age,
        )
        token = self._take_apart(registration, answer.id_token)
        check_claims(token, expected)
        yield from self._check_signature(registration, metadata, token)
        return answer.grant(id_claims=token.claims)

    def account(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """Whose grant it is, by the ID token; userinfo adds claims, if it is about the same subject."""
        return _account(grant.id_claims, (yield from self._claims(registration, grant)))

    def whose(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """Whose access token it is, by userinfo alone; no ID token takes part."""
        metadata = yield from self.metadata(registration)
        if not metadata.userinfo_endpoint:
            raise ProviderError("unsupported", "no_userinfo", "This provider does not say whose an access token is.")
        userinfo = yield from self._read_userinfo(registration, metadata, grant)
        named = {"iss": metadata.issuer, "sub": check_subject(userinfo.get("sub"))}
        return _account(named, about_person(userinfo))

    # ---- refreshes, revokes, reads -----------------------------------------------------------------------------------

    def refresh(self, registration: Registration, grant: Grant, *, now: int) -> Exchange[Grant]:
        """Refresh once; the old refresh token stays where no new one comes.

        An ID token that comes along must be about the same account: its `sub` is compared with that of
        `grant.id_claims`, so callers hand in at least `iss` and `sub`.
        """
        fields = refresh_fields(grant)
        metadata = yield from self.metadata(registration)
        answer = yield from self._tokens(registration, metadata, fields, now)
        if answer.id_token is None:
            return answer.grant(keep=grant)
        token = self._take_apart(registration, answer.id_token)
        expected = Expected(
            metadata.issuer, registration.client_id, now, access_token=answer.access_token
        )  # a refreshed ID token need have no nonce (Core 1.0 section 12.2)
        try:
            check_claims(token, expected)
        except ProviderError as error:
            if error.code not in OUT_OF_TIME:
                raise
            # Some providers repeat the ID token of the sign-in. It says nothing new; the new tokens exist nowhere else.
            _check_same(grant.id_claims, token.claims)
            return answer.grant(keep=grant)
        _check_same(grant.id_claims, token.claims)
        try:
            yield from self._check_signature(registration, metadata, token)
        except ProviderError as error:
            if error.kind == "mismatch" and error.code != "key_unknown":
                raise
            return answer.grant(keep=grant)  # the keys cannot be had now: take the tokens, leave the claims
        return answer.grant(id_claims={**grant.id_claims, **token.claims}, keep=grant)

    def supports_revocation(self, registration: Registration) -> Exchange[bool]:
        """Whether this provider names a revocation endpoint."""
        metadata = yield from self.metadata(registration)
        return bool(metadata.revocation_endpoint)

    def revoke(self, registration: Registration, grant: Grant) -> Exchange[Revoked]:
        """Revoke by RFC 7009. Raises ProviderError(unsupported) where the provider names no endpoint for it."""
        metadata = yield from self.metadata(registration)
        if not metadata.revocation_endpoint:
            raise ProviderError(
                "unsupported",
                "no_revocation_endpoint",
                "This provider lets no app end a grant. End it on the provider's own pages.",
            )
        method = metadata.authentication(self.client_authentication(registration))
        return (yield from revoke_token(metadata.revocation_endpoint, registration, grant, method=method))

    def profile(self, registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
        """The person's claims as one card."""
        claims = yield from self._claims(registration, grant)
        return Page((to_item(claims, categories),))

    def metadata(self, registration: Registration) -> Exchange[Metadata]:
        """The provider's metadata, from the cache where it is fresh. Raises ProviderError."""
        return (yield from self._cache.metadata(registration, self.issuer(registration)))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _push(self, registration: Registration, metadata: Metadata, params: list[tuple[str, str]]) -> Exchange[str]:
        method = metadata.authentication(self.client_authentication(registration))
        endpoint = metadata.pushed_authorization_request_endpoint
        response = yield from read(client_request(endpoint, params, registration, method))
        if not response.ok:
            raise token_failure(response)
        uri = token_text(response.json().get("request_uri"))
        if uri is None:
            raise ProviderError("garbage", "request_uri_missing", "The provider took the request but did not name it.")
        return uri.reveal()

    def _tokens(
        self, registration: Registration, metadata: Metadata, fields: list[tuple[str, str]], now: int
    ) -> Exchange[TokenAnswer]:
        method = metadata.authentication(self.client_authentication(registration))
        request = client_request(metadata.token_endpoint, fields, registration, method)
        return (yield from request_tokens(request, now=now, reader=self.read_answer))

    def _take_apart(self, registration: Registration, text: Secret) -> Token:
        return take_apart(text, allowed_algorithms(registration.settings.get("algorithms", "")))

    def _check_signature(self, registration: Registration, metadata: Metadata, token: Token) -> Exchange[None]:
        keys = yield from self._cache.keys(registration, metadata)
        if check_signature(token, keys):
            return
        newer = yield from self._cache.newer_keys(registration, metadata)
        if newer is None or not check_signature(token, newer):
            raise refuse("key_unknown")

    def _claims(self, registration: Registration, grant: Grant) -> Exchange[dict[str, Any]]:
        if not grant.id_claims:
            raise ProviderError("mismatch", "id_token_missing", _NO_CLAIMS)
        subject = check_subject(grant.id_claims.get("sub"))
        metadata = yield from self.metadata(registration)
        if not metadata.userinfo_endpoint:
            return dict(grant.id_claims)
        userinfo = yield from self._read_userinfo(registration, metadata, grant)
        if not isinstance(userinfo.get("sub"), str) or not _equal(userinfo["sub"], subject):
            raise ProviderError(
                "mismatch", "userinfo_subject", "The profile is another account's than the one that signed in."
            )
        return {**grant.id_claims, **about_person(userinfo)}

    def _read_userinfo(
        self, registration: Registration, metadata: Metadata, grant: Grant
    ) -> Exchange[Mapping[str, Any]]:
        response = yield from read(get(metadata.userinfo_endpoint, bearer=grant.access_token))
        if not response.ok:
            raise resource_failure(response)
        return (yield from self._userinfo(registration, metadata, response))

    def _userinfo(
        self, registration: Registration, metadata: Metadata, response: Response
    ) -> Exchange[Mapping[str, Any]]:
        if response.headers.get("content-type", "").split(";")[0].strip().lower() != _JWT:
            return response.json()
        text = token_text(response.body.decode("ascii", "replace").strip())
        if text is None:
            raise ProviderError("garbage", "userinfo_unreadable", "The provider's profile answer cannot be read.")
        token = self._take_apart(registration, text)  # signed userinfo, Core 1.0 section 5.3.2
        if token.claims.get("iss", metadata.issuer) != metadata.issuer:
            raise refuse("issuer_mismatch")
        audience = token.claims.get("aud", registration.client_id)
        if registration.client_id not in (audience if isinstance(audience, list) else [audience]):
            raise refuse("audience_mismatch")
        yield from self._check_signature(registration, metadata, token)
        return token.claims


def _account(named: Mapping[str, Any], claims: Mapping[str, Any]) -> Account:
    birthdate = claims.get("birthdate")
    return Account(
        issuer=str(named["iss"]),
        subject=str(named["sub"]),
        claims=about_person(claims),
        birthdate=birthdate if isinstance(birthdate, str) else "",
    )


def _pushes(registration: Registration, metadata: Metadata) -> bool:
    wish = registration.settings.get("par", "required")
    can = bool(metadata.pushed_authorization_request_endpoint)
    if metadata.requires_par and (wish == "no" or not can):
        raise ProviderError(
            "misconfigured", "par_required", "The provider takes pushed requests only. Allow them in the integration."
        )
    return can and (metadata.requires_par or wish == "yes")


def _check_same(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for name in ("iss", "sub"):
        if name in before and not _equal(str(before[name]), str(after[name])):
            raise refuse("account_changed")
    if "nonce" in before and "nonce" in after and before["nonce"] != after["nonce"]:
        raise refuse("nonce_mismatch")


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
