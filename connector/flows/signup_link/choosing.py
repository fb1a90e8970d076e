"""The person's choices come back from our page."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connector import authorizations
from connector.authorizations import Authorization
from connector.clients import find_client
from connector.flows.gateway import Gateway
from connector.flows.integrations import integrated
from connector.flows.signup_link import leaving
from connector.flows.signup_link.accepted import mark_of
from connector.flows.signup_link.arriving import Browser, Onward, Page, chosen_integration, show_again
from connector.flows.signup_link.endings import fail, refusal
from connector.flows.signup_link.notice import Notice, notice_of
from connector.flows.signup_link.problems import ShownOnly
from connector.model.states import AuthorizationState
from providers.secret import Secret

_OVER = "This page is out of date. Go back to the app and start again."


@dataclass(frozen=True, slots=True)
class Form:
    """What the page's form sent.

    Attributes:
        action: `go` or `cancel`.
        integration: the account that was picked, on the picker.
        age: `yes`, `no` or "".
        push: the groups that were ticked.
    """

    form_token: Secret
    action: str
    integration: str = ""
    age: str = ""
    push: tuple[str, ...] = ()


def choose(gateway: Gateway, authorization_id: str, form: Form, browser: Browser) -> Page | Onward:
    """Take the choices, and go on to the provider.

    Raises:
        ShownOnly: another browser, an old page, or a form that is not ours.
        SentBack: the person said no, or may not register.
    """
    authorization = _mine(gateway, authorization_id, form, browser)
    if form.action != "go":
        fail(gateway, authorization, reason="declined", step="choosing")
        raise refusal(authorization, "access_denied", "The person chose not to go on.")
    if authorization.integration_id is None:
        return chosen_integration(gateway, authorization, form.integration, browser)
    notice, mark = _notice(gateway, authorization)
    if notice.hash != authorization.progress.notice_hash:
        return show_again(gateway, authorization, problem="Something changed meanwhile; please read this again.")
    ticked = frozenset(form.push) & frozenset(notice.push_groups)
    if notice.asks_age and form.age not in {"yes", "no"}:
        return show_again(gateway, authorization, problem="Please say whether you are 13 or older.", ticked=ticked)
    if notice.asks_age and form.age == "no":
        fail(gateway, authorization, reason="under_age", step="choosing")
        raise refusal(authorization, "access_denied", "People under 13 cannot register.", code="under_age")
    progress = replace(
        authorization.progress,
        push=tuple(group for group in notice.push_groups if group in ticked),
        age_stated=True if notice.asks_age else None,
    )
    return Onward(authorization.id, leaving.leave(gateway, authorization, progress, notice), remember=mark)


def _mine(gateway: Gateway, authorization_id: str, form: Form, browser: Browser) -> Authorization:
    """The flow, where browser, form and time are right."""
    with gateway.store.read() as tx:
        found = authorizations.by_id(tx, gateway.vault, authorization_id)
        now = tx.now()
    if found is None or found.state is not AuthorizationState.CHOOSING or found.expires_at <= now:
        raise ShownOnly("flow_over", _OVER)
    if not browser.holds(found):
        raise ShownOnly(
            "wrong_browser",
            "This page belongs to another browser, or cookies are off. "
            "Allow cookies, go back to the app and start again.",
        )
    if found.progress.form_token is None or form.form_token != found.progress.form_token:
        raise ShownOnly("form_not_ours", _OVER)
    return found


def _notice(gateway: Gateway, authorization: Authorization) -> tuple[Notice, str]:
    with gateway.store.read() as tx:
        client = find_client(tx, gateway.vault, authorization.client_id)
        whole = integrated(gateway, tx, authorization.tenant_id, authorization.integration_id or "")
        notice = notice_of(gateway, client, whole, authorization, tx.now())
        return notice, mark_of(gateway, tx, authorization.tenant_id, notice)
