"""The session of a person's own pages: a cookie for a quarter of an hour, and a token in every form.

The cookie is Lax and HttpOnly, and in production `__Host-`. A POST is taken only from a page of ours: it carries the
session's form token, and a browser that says where it comes from says "same-origin".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, make_response, render_template, request
from werkzeug import Response

from connector.flows.portal import app_name, session_of
from connector.http.context import gateway
from connector.http.operations import TEXT, an_object
from connector.http.pages.cookies import cookie_attributes, host_cookie
from connector.http.request import FORM, form
from connector.model.errors import BadInput, Unauthenticated
from connector.people import SESSION_MS, PortalSession
from providers.secret import Secret

SEE_OTHER = 303
FORM_ROUTE = {  # how the description of the interface tells of a form on these pages
    "security": "session",
    "body": an_object({"form_token": TEXT}),
    "body_type": FORM,
    "answers": {SEE_OTHER: None},
    "answer_type": "text/html",
}

P = ParamSpec("P")
R = TypeVar("R")

COOKIE = "gw_portal"
_ELSEWHERE = frozenset({"cross-site", "same-site"})


def signed_in(view: Callable[P, R]) -> Callable[P, R]:
    """A view for the person of this session; a POST must come from a form of theirs.

    Raises:
        Unauthenticated: there is no session, or it is over.
        BadInput: the form is not this session's.
    """

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        g.portal_secret = held_secret()
        g.portal_session = session_of(gateway(), g.portal_secret)
        if request.method == "POST":
            from_our_page()
            g.portal_fields = form()
            if Secret(g.portal_fields.pop("form_token", "")) != Secret(person().form_token):
                raise BadInput("stale_form", "This form is not of this session. Go back, reload the page, try again.")
        return view(*args, **kwargs)

    return checked


def person() -> PortalSession:
    """Whose pages these are."""
    session: PortalSession = g.portal_session
    return session


def fields() -> dict[str, str]:
    """What the form says, without its token."""
    given: dict[str, str] = g.portal_fields
    return given


def held_secret() -> Secret:
    """The session's secret, as the browser holds it. Raises Unauthenticated where it holds none."""
    held = request.cookies.get(host_cookie(COOKIE), "")
    if not held:
        raise Unauthenticated("signed_off", "You are signed off here. Go back to the app and open your pages again.")
    return Secret(held)


def from_our_page() -> None:
    """Raises BadInput where the browser says that another site sent the form."""
    if request.headers.get("Sec-Fetch-Site") in _ELSEWHERE:
        raise BadInput("foreign_form", "This form came from another site, so it was not taken.")


def begin(answer: Response, secret: Secret) -> None:
    """Give the browser its session."""
    answer.set_cookie(host_cookie(COOKIE), secret.reveal(), **cookie_attributes(SESSION_MS // 1000))


def finish(answer: Response) -> None:
    """Take the cookie back."""
    answer.set_cookie(host_cookie(COOKIE), "", **cookie_attributes(0))


def shown(template: str, **parts: object) -> Response:
    """A page of the session, with what all of them need."""
    session = person()
    return make_response(
        render_template(
            f"portal/{template}",
            form_token=session.form_token,
            app=app_name(gateway(), session),
            return_url=session.return_url,
            **parts,
        )
    )
