"""Our page before the provider: the notice with its choices, or the picker of accounts."""

from __future__ import annotations

from flask import redirect, render_template
from werkzeug import Response

from connector.flows.signup_link import Notice, Onward, Page, SentBack, sent_back_url
from connector.http.context import gateway
from connector.http.headers import content_security_policy
from connector.http.pages.cookies import bind_flow, remember_acceptance, says_gpc

SEE_OTHER = 303
UNPROCESSABLE = 422


def answer_with(step: Page | Onward) -> Response:
    """The step as an answer, with the cookies that go with it."""
    if isinstance(step, Onward):
        onward = redirect(step.url, SEE_OTHER)
        if step.remember:
            remember_acceptance(onward, step.remember)
        _bind(onward, step)
        return onward
    page = Response(_rendered(step), UNPROCESSABLE if step.problem else 200, content_type="text/html; charset=utf-8")
    page.headers["Content-Security-Policy"] = content_security_policy(*_form_targets())
    _bind(page, step)
    return page


def send_back(problem: SentBack) -> Response:
    """The error, at the client's own redirect URI."""
    return redirect(sent_back_url(problem, gateway().settings.server.public_url), SEE_OTHER)


def _rendered(page: Page) -> str:
    template = "consent.html" if isinstance(page.view, Notice) else "picker.html"
    return render_template(
        template,
        view=page.view,
        action=f"/oauth/authorize/{page.authorization_id}",
        form_token=page.form_token.reveal(),
        problem=page.problem,
        ticked=page.ticked,
        gpc=says_gpc(),
    )


def _bind(answer: Response, step: Page | Onward) -> None:
    if step.bind is not None:
        bind_flow(answer, step.authorization_id, step.bind.reveal())


def _form_targets() -> tuple[str, ...]:
    """Browsers hold a form's redirects to `form-action`, and ours lead to the provider and on to the app."""
    return ("https:", "http:") if gateway().settings.is_development else ("https:",)
