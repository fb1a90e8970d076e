"""Asking the provider whose a token is, before anything is kept of it."""

from __future__ import annotations

from connector.flows.adopt.asked import Wanted
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated
from connector.flows.observed import Observed
from connector.model.errors import BadInput, Conflict, ConnectorError, TryLater
from providers.capabilities import Account, Grant, NamesAccount
from providers.errors import ProviderError

_UNSAFE = (
    "Where the old system has proven whose it is, say so with unsafe_skip_verification "
    "(--unsafe-skip-verification for a file)."
)


def account_of(gateway: Gateway, whole: Integrated, wanted: Wanted) -> Account:
    """The account that the token truly belongs to; without verification, the one that the caller names.

    Raises:
        Conflict: it is another account's than was said (`account_mismatch`).
        BadInput: the provider does not take the token, or cannot say whose it is.
        TryLater: the provider cannot be asked now.
    """
    if not wanted.verify:
        return Account(whole.adapter.issuer(whole.registration), wanted.subject)
    account = _asked(gateway, whole, wanted)
    if wanted.subject and account.subject != wanted.subject:
        raise _mismatch()
    return account


def _asked(gateway: Gateway, whole: Integrated, wanted: Wanted) -> Account:
    title = whole.entry.title
    if not isinstance(whole.adapter, NamesAccount):
        raise BadInput("cannot_verify", f"{title} does not say whose a token is. {_UNSAFE}")
    grant = Grant(wanted.access_token, wanted.refresh_token, scopes=wanted.scopes)
    observed = Observed()
    try:
        return gateway.egress.drive(
            whole.adapter.whose(whole.registration, grant), provider=whole.integration.id, observe=observed
        )
    except ProviderError as problem:
        raise _refusal(title, problem) from problem
    finally:  # whose it is is not known yet, so the entry names nobody
        integration = whole.integration
        with gateway.store.transaction() as tx:
            observed.enter(tx, integration.tenant_id, None, {"integration": integration.id, "action": "adopt"})


def _refusal(title: str, problem: ProviderError) -> ConnectorError:
    if problem.kind == "mismatch":
        return _mismatch()
    if problem.kind == "unsupported":
        return BadInput("cannot_verify", f"{title} does not say whose a token is. {_UNSAFE}")
    if problem.kind in {"rejected", "insufficient_scope"}:
        return BadInput(
            "token_rejected",
            f"{title} does not take the access token, so nobody can say whose it is. If it is over, let the old system "
            "refresh it and hand it over again soon after.",
        )
    if problem.kind == "misconfigured":
        return BadInput(
            "provider_misconfigured", f"{title} does not accept this integration's registration. Tell its operator."
        )
    return TryLater(f"{title} did not give a usable answer; nothing was adopted.", retry_after_s=_pause_s(problem))


def _pause_s(problem: ProviderError) -> int:
    return max(1, min(int(problem.retry_after_s or 5), 300))


def _mismatch() -> Conflict:
    return Conflict("account_mismatch", "The token belongs to another account than the one that was named, or to none.")
