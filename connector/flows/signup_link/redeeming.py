"""The app redeems our code. Only when verifier, client, redirect URI and user are right is the provider's exchanged.

The claim, with its intent, is committed before a byte leaves; the exchange is sent once; what comes back is held in
memory until it is stored.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from hmac import compare_digest

import structlog

from connector import authorizations
from connector.authorizations import Authorization, Ended, Kind
from connector.clients import Client, revoke_access_tokens_from
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.signup_link import handing_back, landing
from connector.flows.signup_link.arrival import Arrival
from connector.flows.signup_link.endings import fail, fail_in
from connector.flows.signup_link.observing import Observed
from connector.flows.signup_link.problems import GrantRefused
from connector.flows.signup_link.results import SignedIn
from connector.model.errors import TryLater
from connector.model.states import AuthorizationState
from connector.storage import Transaction
from connector.storage.errors import DatabaseUnavailable
from providers.capabilities import Account, Ask, Authorizes, Callback, Grant
from providers.errors import ProviderError
from providers.secret import Secret

HOLD_FIRST_S = 0.05
HOLD_MOST_S = 1.0
CLAIM_ATTEMPTS = 3
_USED = "The code was used before. Start again."
_REMAINS = "What was granted there may still be listed in the account's settings at the provider."

_log = structlog.get_logger("signup_link")


@dataclass(frozen=True, slots=True)
class Redemption:
    """What the token request says (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

    Attributes:
        link_user: the user of the app's current session, where the flow links.
    """

    code: Secret
    redirect_uri: str
    code_verifier: Secret
    link_user: str | None = field(default=None)


def redeem(gateway: Gateway, client: Client, redemption: Redemption) -> SignedIn:
    """Our code for an ID token, with everything that a sign-up makes.

    Raises:
        GrantRefused: `invalid_grant`; `code` says why. Nothing is left behind.
        TryLater: the database cannot be used, and nothing was sent; the code still works.
    """
    authorization = _claim(gateway, client, redemption)
    observed = Observed()
    with gateway.store.read() as tx:
        whole = integrated(gateway, tx, authorization.tenant_id, authorization.integration_id or "")
    sent_at = gateway.clock.now()
    grant = _exchange(gateway, authorization, whole, observed, sent_at)
    with gateway.flights.holding():
        account = _account(gateway, authorization, whole, grant, observed)
        arrival = Arrival(authorization, client, whole, grant, account, sent_at, observed)
        return _land(gateway, arrival)


def _claim(gateway: Gateway, client: Client, redemption: Redemption) -> Authorization:
    """Compare everything, then take the flow for this process. What is wrong burns the code."""
    for _ in range(CLAIM_ATTEMPTS):
        try:
            with gateway.store.transaction() as tx:
                outcome = _claimed(gateway, tx, client, redemption)
        except authorizations.MovedOn:
            continue  # somebody else used the code at the same moment: look again, as a second use
        if isinstance(outcome, GrantRefused):
            raise outcome
        return outcome
    raise GrantRefused("code_used", _USED)


def _claimed(gateway: Gateway, tx: Transaction, client: Client, redemption: Redemption) -> Authorization | GrantRefused:
    found = authorizations.by_code(tx, gateway.vault, redemption.code.reveal())
    if found is None:
        return GrantRefused("unknown_code", "The code is unknown or has expired. Start again.")
    if isinstance(found, Ended) or found.state is not AuthorizationState.HELD:
        return _reused(tx, found)
    wrong = _wrong(found, client, redemption, tx.now())
    if wrong is not None:
        fail_in(gateway, tx, found, reason=wrong.code, step="redeeming")
        return wrong
    return authorizations.move(
        tx,
        gateway.vault,
        found,
        AuthorizationState.REDEEMING,
        redeemer=gateway.worker_id,
        intent_at=tx.now(),
    )


def _reused(tx: Transaction, found: Authorization | Ended) -> GrantRefused:
    """RFC 6749 section 4.1.2: our tokens from this code end. The connection stays: it is the person's."""
    ended = isinstance(found, Ended) and found.state is AuthorizationState.FAILED
    if not ended:
        authorizations.mark_reused(tx, found.id)
        revoke_access_tokens_from(tx, found.id)
        _log.warning("signup_link.code_reused", authorization=found.id, client=found.client_id)
    return GrantRefused("code_used", _USED)


def _wrong(found: Authorization, client: Client, redemption: Redemption, now: int) -> GrantRefused | None:
    """Why this redemption must not go on, or None. Every comparison stands before the provider's code is touched."""
    if found.client_id != client.id:
        return GrantRefused("wrong_client", "The code was given to another client.")
    if found.expires_at <= now:
        return GrantRefused("code_expired", f"The code has expired. Start again. {_REMAINS}")
    if redemption.redirect_uri != found.request.redirect_uri:
        return GrantRefused("wrong_redirect_uri", "redirect_uri differs from the authorization request's.")
    if not _fits(redemption.code_verifier.reveal(), found.request.code_challenge):
        return GrantRefused("wrong_verifier", f"code_verifier does not fit the code_challenge. {_REMAINS}")
    if redemption.link_user != found.request.link_user and not _of_reauthorisation(found, redemption):
        return GrantRefused(
            "wrong_user", f"The flow was begun for another user than the session's (link_user). {_REMAINS}"
        )
    return None


def _of_reauthorisation(found: Authorization, redemption: Redemption) -> bool:
    """A renewal that named no user may be redeemed without one, never with one that was not named."""
    return found.kind is Kind.REAUTHORIZE and redemption.link_user is None and found.request.link_user is None


def _fits(verifier: str, challenge: str) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return compare_digest(made.encode(), challenge.encode())


def _exchange(
    gateway: Gateway, authorization: Authorization, whole: Integrated, observed: Observed, sent_at: int
) -> Grant:
    """The provider's code for its tokens, sent once."""
    progress = authorization.progress
    if progress.code is None or progress.nonce is None or progress.verifier is None:
        raise GrantRefused("code_used", _USED)
    if not isinstance(whole.adapter, Authorizes):
        raise GrantRefused("not_supported", f"{whole.entry.title} lets nobody sign in.")
    ask = Ask(
        state=Secret(""),  # spent at the callback
        nonce=progress.nonce,
        code_verifier=progress.verifier,
        scopes=progress.scopes,
        max_age=authorization.request.max_age,
    )
    callback = Callback(progress.code, progress.iss, progress.extra)
    exchange = whole.adapter.redeem(whole.registration, callback, ask, now=sent_at)
    try:
        return gateway.egress.drive(exchange, provider=whole.integration.id, observe=observed)
    except (ProviderError, TryLater) as problem:
        raise _refused(gateway, authorization, whole, problem, observed) from problem


def _account(
    gateway: Gateway, authorization: Authorization, whole: Integrated, grant: Grant, observed: Observed
) -> Account:
    if not isinstance(whole.adapter, Authorizes):
        raise GrantRefused("not_supported", f"{whole.entry.title} lets nobody sign in.")
    exchange = whole.adapter.account(whole.registration, grant)
    try:
        return gateway.egress.drive(exchange, provider=whole.integration.id, observe=observed)
    except (ProviderError, TryLater) as problem:
        with gateway.store.transaction() as tx:
            handing_back.hand_back(gateway, tx, authorization, whole, grant, named=None, reason="abandoned")
        raise _refused(gateway, authorization, whole, problem, observed) from problem


def _refused(
    gateway: Gateway,
    authorization: Authorization,
    whole: Integrated,
    problem: ProviderError | TryLater,
    observed: Observed,
) -> GrantRefused:
    """The provider's no, or nothing usable: the flow ends, and the app may start again."""
    title = whole.entry.title
    kind = "try_later" if isinstance(problem, TryLater) else problem.kind
    _log.warning("signup_link.redeem_failed", authorization=authorization.id, kind=kind, code=problem.code)
    with gateway.store.transaction() as tx:
        observed.record(tx, authorization)
    fail(gateway, authorization, reason=f"provider_{kind}", step="redeeming")
    if kind in {"rejected", "denied"}:
        return GrantRefused("provider_refused", f"{title} refused the sign-in. Start again.")
    if kind == "mismatch":
        return GrantRefused("provider_mismatch", f"What {title} answered is not for this sign-in. {_REMAINS}")
    if kind == "misconfigured":
        return GrantRefused(
            "provider_misconfigured", f"{title} does not accept this app's registration. Tell its operator."
        )
    return GrantRefused("provider_unavailable", f"{title} did not give a usable answer. Start again. {_REMAINS}")


def _land(gateway: Gateway, arrival: Arrival) -> SignedIn:
    """Store the answer, for as long as it takes: a database that is away loses nothing."""
    pause = HOLD_FIRST_S
    while True:
        try:
            return landing.land(gateway, arrival)
        except DatabaseUnavailable as problem:
            _log.warning("signup_link.holding", authorization=arrival.authorization.id, detail=problem.detail)
            gateway.clock.sleep(pause)
            pause = min(HOLD_MOST_S, pause * 2)
