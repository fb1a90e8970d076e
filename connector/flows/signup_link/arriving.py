"""A browser comes with a request: it is checked, bound to this browser, and meets our page.

A browser that accepted this very notice before goes straight on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hmac import compare_digest

from connector import authorizations
from connector.authorizations import Authorization
from connector.clients import Client, Integration, find_client
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.signup_link import asking, leaving
from connector.flows.signup_link.accepted import has_accepted, mark_of
from connector.flows.signup_link.asking import Parameters
from connector.flows.signup_link.notice import Notice, Picker, notice_of
from connector.flows.signup_link.problems import SentBack, ShownOnly
from connector.flows.signup_link.pushing import REQUEST_URI
from connector.model.ids import new_secret
from connector.model.states import AuthorizationState
from connector.storage import Transaction
from providers import catalogue
from providers.secret import Secret

INTERACTION_S = 15 * 60


@dataclass(frozen=True, slots=True)
class Browser:
    """What this browser holds of ours.

    Attributes:
        secret_of: authorization id → the flow's cookie, "" where there is none.
        accepted: marks of notices it has accepted.
        gpc: whether it says Global Privacy Control.
    """

    secret_of: Callable[[str], str]
    accepted: tuple[str, ...] = ()
    gpc: bool = False

    def holds(self, authorization: Authorization) -> bool:
        """Whether the flow was bound to this browser. Constant time."""
        shown = authorizations.token_hash(self.secret_of(authorization.id))
        return authorization.browser_hash is not None and compare_digest(shown, authorization.browser_hash)


@dataclass(frozen=True, slots=True)
class Page:
    """Our page, for this browser. `bind` is set where the browser gets the flow's cookie with it."""

    authorization_id: str
    view: Notice | Picker
    form_token: Secret
    bind: Secret | None = None
    problem: str = ""
    ticked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Onward:
    """On to the provider. `remember` is the mark that the browser keeps."""

    authorization_id: str
    url: str = field(repr=False)
    bind: Secret | None = None
    remember: str = ""


def arrive(gateway: Gateway, parameters: Parameters, browser: Browser) -> Page | Onward:
    """The authorization endpoint (RFC 6749 section 3.1).

    Raises:
        ShownOnly: there is nowhere to send an error to.
        SentBack: the client's request is wrong, or asks for what needs the person while forbidding to ask them.
    """
    secret = Secret(new_secret())
    with gateway.store.transaction() as tx:
        client = asking.client_of(tx, gateway.vault, parameters)
        if parameters.get("request_uri") is not None:
            authorization, bound = _pushed(gateway, tx, client, parameters, browser, secret=secret)
        else:
            authorization, bound = _plain(gateway, tx, client, parameters, secret), secret
        authorization, view, mark = _prepare(gateway, tx, client, authorization, gpc=browser.gpc)
    return _on_or_page(gateway, authorization, view, mark, browser, bound=bound)


def show_again(
    gateway: Gateway, authorization: Authorization, *, problem: str, ticked: frozenset[str] = frozenset()
) -> Page:
    """The same page once more, with what was wrong."""
    with gateway.store.transaction() as tx:
        client = find_client(tx, gateway.vault, authorization.client_id)
        authorization, view, _mark = _prepare(gateway, tx, client, authorization)
    return _page(authorization, view, None, problem=problem, ticked=ticked)


def chosen_integration(
    gateway: Gateway, authorization: Authorization, integration_id: str, browser: Browser
) -> Page | Onward:
    """The person chose the account; now the notice. Raises ShownOnly for one that was not offered."""
    with gateway.store.transaction() as tx:
        client = find_client(tx, gateway.vault, authorization.client_id)
        if integration_id not in {each.id for each in asking.choices(tx, gateway.vault, client)}:
            raise ShownOnly(
                "unknown_integration", "This account is not offered here. Go back to the app and start again."
            )
        authorization = authorizations.move(
            tx, gateway.vault, authorization, AuthorizationState.CHOOSING, integration_id=integration_id
        )
        authorization, view, mark = _prepare(gateway, tx, client, authorization)
    return _on_or_page(gateway, authorization, view, mark, browser, bound=None)


def _on_or_page(
    gateway: Gateway,
    authorization: Authorization,
    view: Notice | Picker,
    mark: str,
    browser: Browser,
    *,
    bound: Secret | None,
) -> Page | Onward:
    if not isinstance(view, Notice) or "consent" in authorization.request.prompt:
        return _page(authorization, view, bound)
    if not has_accepted(browser.accepted, mark):
        return _page(authorization, view, bound)
    progress = replace(authorization.progress, straight_on=True, age_stated=True if view.asks_age else None)
    url = leaving.leave(gateway, authorization, progress, view)
    return Onward(authorization.id, url, bound, mark)


def _page(
    authorization: Authorization,
    view: Notice | Picker,
    bound: Secret | None,
    *,
    problem: str = "",
    ticked: frozenset[str] = frozenset(),
) -> Page:
    token = authorization.progress.form_token
    if token is None:
        raise ShownOnly("flow_over", "This sign-in is over. Go back to the app and start again.")
    return Page(authorization.id, view, token, bound, problem, ticked)


def _plain(gateway: Gateway, tx: Transaction, client: Client, parameters: Parameters, secret: Secret) -> Authorization:
    asked = asking.read(tx, gateway.vault, client, parameters, pushed=False)
    if client.require_par:
        raise SentBack(
            "invalid_request",
            "This app must push its requests first (RFC 9126).",
            redirect_uri=asked.request.redirect_uri,
            state=asked.request.state,
            code="par_required",
        )
    _refuse_silence(asked.request.prompt, asked.request.redirect_uri, asked.request.state)
    started = authorizations.start(
        tx,
        gateway.vault,
        tenant_id=client.tenant_id,
        client_id=client.id,
        integration_id=None if asked.integration is None else asked.integration.id,
        kind=asked.kind,
        request=asked.request,
        lifetime_s=INTERACTION_S,
    )
    return authorizations.arrive(tx, gateway.vault, started, browser=secret.reveal(), lifetime_s=INTERACTION_S)


def _pushed(
    gateway: Gateway,
    tx: Transaction,
    client: Client,
    parameters: Parameters,
    browser: Browser,
    *,
    secret: Secret,
) -> tuple[Authorization, Secret | None]:
    request_uri = parameters.get("request_uri") or ""
    if "request_uri" in parameters.repeated or not request_uri.startswith(REQUEST_URI):
        raise ShownOnly("request_uri_unknown", "The app's link is not one of ours. Go back to the app and try again.")
    found = authorizations.by_request_uri(tx, gateway.vault, request_uri)
    if found is None or found.client_id != client.id or found.expires_at <= tx.now():
        raise ShownOnly("request_uri_expired", "The app's link has run out. Go back to the app and try again.")
    if found.state is AuthorizationState.CHOOSING and browser.holds(found):
        return found, None  # the same browser loads the page again
    if found.state is not AuthorizationState.PUSHED:
        raise ShownOnly("request_uri_used", "The app's link was used already. Go back to the app and try again.")
    _refuse_silence(found.request.prompt, found.request.redirect_uri, found.request.state)
    arrived = authorizations.arrive(tx, gateway.vault, found, browser=secret.reveal(), lifetime_s=INTERACTION_S)
    return arrived, secret


def _refuse_silence(prompt: tuple[str, ...], redirect_uri: str, state: str | None) -> None:
    if "none" in prompt:
        raise SentBack(
            "interaction_required",
            "Signing in needs the person; send the request without prompt=none.",
            redirect_uri=redirect_uri,
            state=state,
        )


def _prepare(
    gateway: Gateway, tx: Transaction, client: Client, authorization: Authorization, *, gpc: bool = False
) -> tuple[Authorization, Notice | Picker, str]:
    """What the page will show, and the flow with the form's token and the notice's fingerprint in it."""
    progress = replace(authorization.progress, gpc=authorization.progress.gpc or gpc)
    token = progress.form_token or Secret(new_secret())
    if authorization.integration_id is None:
        listed = tuple((each.id, _title(each)) for each in asking.choices(tx, gateway.vault, client))
        picker = Picker(client.name, listed)
        kept = replace(progress, form_token=token)
        return _keep(gateway, tx, authorization, kept), picker, ""
    whole: Integrated = integrated(gateway, tx, client.tenant_id, authorization.integration_id)
    notice = notice_of(gateway, client, whole, authorization, tx.now())
    kept = replace(
        progress,
        form_token=token,
        policy_version=notice.policy_version,
        notice_hash=notice.hash,
        imports=notice.import_words,
        scopes=notice.scopes,
    )
    mark = mark_of(gateway, tx, client.tenant_id, notice)
    return _keep(gateway, tx, authorization, kept), notice, mark


def _keep(
    gateway: Gateway, tx: Transaction, authorization: Authorization, progress: authorizations.Progress
) -> Authorization:
    if progress == authorization.progress:
        return authorization
    return authorizations.move(tx, gateway.vault, authorization, AuthorizationState.CHOOSING, progress=progress)


def _title(integration: Integration) -> str:
    """How an integration is called on the page; its own name where two are of one provider is the operator's choice."""
    title = catalogue.entry(integration.provider).title
    return title if integration.name.lower() in {integration.provider, title.lower()} else integration.name
