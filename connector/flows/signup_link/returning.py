"""The provider's redirect comes back: state, browser, integration and issuer are compared, the code is sealed.

Nothing is exchanged here. The state works once; a wrong browser, integration or issuer ends the flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hmac import compare_digest

import structlog

from connector import authorizations
from connector.authorizations import Authorization, token_hash
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.signup_link.arriving import Browser
from connector.flows.signup_link.asking import Parameters
from connector.flows.signup_link.endings import fail, refusal
from connector.flows.signup_link.problems import ShownOnly, with_answer
from connector.model.errors import TryLater
from connector.model.ids import new_secret
from connector.model.states import AuthorizationState
from providers.capabilities import Authorizes
from providers.errors import ProviderError
from providers.secret import Secret

CODE_LIFETIME_S = 60
SPARE_S = 10
LEAST_S = 5
MAX_LENGTH = 4096
MAX_FIELDS = 24
_DECLINED = frozenset(
    {
        "access_denied",
        "user_denied",
        "user_cancelled",
        "user_cancelled_authorize",
        "user_cancelled_login",
        "consent_required",
        "interaction_required",
        "login_required",
        "account_selection_required",
    }
)
_TOKENS = ("access_token", "id_token", "refresh_token")
_OVER = "This sign-in is over, was used already, or began elsewhere. Go back to the app and start again."

_log = structlog.get_logger("signup_link")


@dataclass(frozen=True, slots=True)
class _Answer:
    """The provider's answer for a flow, with the flow as it was read."""

    authorization: Authorization
    fields: Mapping[str, str]


def hold_posted(gateway: Gateway, integration_id: str, parameters: Parameters) -> Secret:
    """A form_post answer (cross-site, so without our cookie): sealed; the handle brings the browser back by GET.

    Raises:
        ShownOnly: no flow waits for it at this integration, or an answer is held already.
    """
    _check_shape(parameters)
    with gateway.store.transaction() as tx:
        found = authorizations.by_state(tx, gateway.vault, parameters.get("state") or "")
        waiting = found is not None and found.state is AuthorizationState.AT_PROVIDER and found.expires_at > tx.now()
        if found is None or not waiting or found.integration_id != integration_id or found.progress.handle_hash:
            raise ShownOnly("unknown_state", _OVER)
        handle = Secret(f"{found.id}.{new_secret()}")
        kept = {name: value for name, value in parameters.values.items() if name != "state"}
        progress = replace(found.progress, posted=kept, handle_hash=token_hash(handle.reveal()).hex())
        authorizations.move(tx, gateway.vault, found, AuthorizationState.AT_PROVIDER, progress=progress)
    return handle


def returned(gateway: Gateway, integration_id: str, parameters: Parameters, browser: Browser) -> tuple[str, str]:
    """Where the browser goes next, with our own code; and the flow's id, whose cookie is spent.

    Raises:
        ShownOnly: unknown or used state, another browser, or a request that is none.
        SentBack: the provider said no, or its answer is not for this flow.
    """
    _check_shape(parameters)
    answer = _posted(gateway, parameters) if "handle" in parameters.values else _plain(gateway, parameters)
    authorization = answer.authorization
    _compare(gateway, integration_id, authorization, browser)
    with gateway.store.read() as tx:
        whole = integrated(gateway, tx, authorization.tenant_id, integration_id)
    _check_issuer(gateway, whole, answer)
    _refuse_errors(gateway, whole, answer)
    code = _hold(gateway, whole, answer)
    url = with_answer(
        authorization.request.redirect_uri,
        {"code": code.reveal()},
        state=authorization.request.state,
        issuer=gateway.settings.server.public_url,
    )
    return url, authorization.id


def _check_shape(parameters: Parameters) -> None:
    values = parameters.values
    if parameters.repeated or len(values) > MAX_FIELDS or any(len(value) > MAX_LENGTH for value in values.values()):
        raise ShownOnly("bad_callback", "The answer that came back cannot be read. Go back to the app and start again.")


def _plain(gateway: Gateway, parameters: Parameters) -> _Answer:
    with gateway.store.read() as tx:
        found = authorizations.by_state(tx, gateway.vault, parameters.get("state") or "")
        now = tx.now()
    if found is None or not _waits(found, now) or found.progress.handle_hash:
        raise ShownOnly("unknown_state", _OVER)
    return _Answer(found, parameters.values)


def _posted(gateway: Gateway, parameters: Parameters) -> _Answer:
    handle = parameters.get("handle") or ""
    with gateway.store.read() as tx:
        found = authorizations.by_id(tx, gateway.vault, handle.partition(".")[0])
        now = tx.now()
    if found is None or not _waits(found, now) or not found.progress.handle_hash:
        raise ShownOnly("unknown_state", _OVER)
    if not compare_digest(token_hash(handle).hex(), found.progress.handle_hash):
        raise ShownOnly("unknown_state", _OVER)
    return _Answer(found, found.progress.posted)


def _waits(authorization: Authorization, now: int) -> bool:
    return authorization.state is AuthorizationState.AT_PROVIDER and authorization.expires_at > now


def _compare(gateway: Gateway, integration_id: str, authorization: Authorization, browser: Browser) -> None:
    """The browser that left must be the one that returns, to the callback of the integration it left for."""
    if not browser.holds(authorization):
        _log.warning("signup_link.wrong_browser", authorization=authorization.id, client=authorization.client_id)
        fail(gateway, authorization, reason="wrong_browser", step="returning")
        raise ShownOnly(
            "wrong_browser",
            "This sign-in was begun in another browser, or cookies are off. Nothing was connected. "
            "If somebody sent you a link, do not use it; start from the app itself.",
        )
    if authorization.integration_id != integration_id:
        _log.warning("signup_link.wrong_integration", authorization=authorization.id, client=authorization.client_id)
        fail(gateway, authorization, reason="wrong_integration", step="returning")
        raise refusal(authorization, "server_error", "The answer came for another provider. Nothing was connected.")


def _check_issuer(gateway: Gateway, whole: Integrated, answer: _Answer) -> None:
    """RFC 9207, on success and on error alike."""
    if not isinstance(whole.adapter, Authorizes):
        raise ShownOnly("not_supported", f"{whole.entry.title} lets nobody sign in.")
    exchange = whole.adapter.check_callback(whole.registration, answer.fields.get("iss"))
    try:
        gateway.egress.drive(exchange, provider=whole.integration.id)
    except (ProviderError, TryLater) as problem:
        mismatch = isinstance(problem, ProviderError) and problem.kind == "mismatch"
        _log.warning("signup_link.issuer", authorization=answer.authorization.id, code=problem.code)
        fail(
            gateway,
            answer.authorization,
            reason="wrong_issuer" if mismatch else "provider_unreachable",
            step="returning",
        )
        if mismatch:
            raise refusal(
                answer.authorization, "server_error", "The answer came from another issuer. Nothing was connected."
            ) from problem
        raise refusal(
            answer.authorization, "temporarily_unavailable", f"{whole.entry.title} cannot be reached. Try again."
        ) from problem


def _refuse_errors(gateway: Gateway, whole: Integrated, answer: _Answer) -> None:
    authorization, fields, title = answer.authorization, answer.fields, whole.entry.title
    error = fields.get("error")
    if error is None and fields.get("code") and not any(name in fields for name in _TOKENS):
        return
    if error in _DECLINED or fields.get("error_reason") in _DECLINED:
        fail(gateway, authorization, reason="declined_at_provider", step="returning")
        raise refusal(authorization, "access_denied", f"The person did not agree at {title}.")
    if error == "temporarily_unavailable":
        fail(gateway, authorization, reason="provider_unavailable", step="returning")
        raise refusal(authorization, "temporarily_unavailable", f"{title} is busy right now. Try again.")
    _log.warning("signup_link.provider_error", authorization=authorization.id, integration=authorization.integration_id)
    fail(gateway, authorization, reason="provider_error", step="returning")
    raise refusal(authorization, "server_error", f"{title} answered with an error. Nothing was connected.")


def _hold(gateway: Gateway, whole: Integrated, answer: _Answer) -> Secret:
    """Seal the provider's code, and make ours. The state is spent with it: of two that come, one gets here."""
    code = Secret(new_secret())
    authorization, fields = answer.authorization, answer.fields
    lifetime_s = max(LEAST_S, min(CODE_LIFETIME_S, whole.entry.code_lives_s - SPARE_S))
    known = {"code", "state", "iss", "handle"}
    try:
        with gateway.store.transaction() as tx:
            now = tx.now()
            progress = replace(
                authorization.progress,
                code=Secret(fields["code"]),
                iss=fields.get("iss"),
                extra={name: value for name, value in fields.items() if name not in known},
                posted={},
                handle_hash="",
                returned_at=now,
            )
            authorizations.move(
                tx,
                gateway.vault,
                authorization,
                AuthorizationState.HELD,
                progress=progress,
                state_hash=None,
                request_uri_hash=None,
                code_hash=token_hash(code.reveal()),
                expires_at=now + lifetime_s * 1000,
            )
    except authorizations.MovedOn as error:
        raise ShownOnly("unknown_state", _OVER) from error
    return code
