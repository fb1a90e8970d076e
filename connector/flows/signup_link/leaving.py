"""Off to the provider, with secrets made for this flow alone."""

from __future__ import annotations

from dataclasses import replace

import structlog

from connector import authorizations
from connector.authorizations import Authorization, Progress, token_hash
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.signup_link.endings import fail, refusal
from connector.flows.signup_link.notice import Notice
from connector.flows.signup_link.problems import ShownOnly
from connector.model.errors import TryLater
from connector.model.ids import new_secret
from connector.model.states import AuthorizationState
from providers.capabilities import Ask, Authorizes
from providers.errors import ProviderError
from providers.secret import Secret

_log = structlog.get_logger("signup_link")


def leave(gateway: Gateway, authorization: Authorization, progress: Progress, notice: Notice) -> str:
    """The provider's URL for this browser; the flow waits there from now on.

    Raises:
        SentBack: the provider cannot be reached or the registration is wrong there; the flow is over.
        MovedOn: another tab was faster.
    """
    ask = Ask(
        state=Secret(new_secret()),
        nonce=Secret(new_secret()),
        code_verifier=Secret(new_secret()),
        scopes=notice.scopes,
        prompt=" ".join(word for word in authorization.request.prompt if word in {"login", "select_account"}),
        ui_locales=authorization.request.ui_locales,
        max_age=authorization.request.max_age,
        rerequest=authorization.kind is authorizations.Kind.REAUTHORIZE,
    )
    with gateway.store.read() as tx:
        whole = integrated(gateway, tx, authorization.tenant_id, notice.integration_id)
    url = _address(gateway, authorization, whole, ask)
    with gateway.store.transaction() as tx:
        authorizations.move(
            tx,
            gateway.vault,
            authorization,
            AuthorizationState.AT_PROVIDER,
            progress=replace(progress, state=None, nonce=ask.nonce, verifier=ask.code_verifier, form_token=None),
            state_hash=token_hash(ask.state.reveal()),
        )
    return url


def _address(gateway: Gateway, authorization: Authorization, whole: Integrated, ask: Ask) -> str:
    if not isinstance(whole.adapter, Authorizes):
        raise ShownOnly("not_supported", f"{whole.entry.title} lets nobody sign in.")
    exchange = whole.adapter.authorization_url(whole.registration, ask)
    try:
        return gateway.egress.drive(exchange, provider=whole.integration.id)
    except (ProviderError, TryLater) as problem:
        _log.warning(
            "signup_link.no_authorization_url", authorization=authorization.id, code=problem.code, detail=str(problem)
        )
        later = isinstance(problem, TryLater) or problem.kind in {"try_later", "ambiguous", "garbage"}
        word = "temporarily_unavailable" if later else "server_error"
        fail(gateway, authorization, reason="provider_unreachable", step="leaving")
        raise refusal(authorization, word, f"{whole.entry.title} cannot be reached right now. Try again.") from problem
