"""`/oauth/authorize` (RFC 6749 section 3.1) and the form of our page."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug import Response
from werkzeug.exceptions import MethodNotAllowed

from connector.flows.signup_link import Form, Parameters, SentBack, arrive, choose
from connector.http.context import gateway
from connector.http.limits import too_many_starts
from connector.http.operations import TEXT, an_object, operation
from connector.http.pages.consent import answer_with, send_back
from connector.http.pages.cookies import this_browser
from connector.http.request import FORM, UnsupportedMediaType
from providers.secret import Secret

blueprint = Blueprint("oauth_authorize", __name__)

_QUERY = {
    "response_type": TEXT,
    "client_id": TEXT,
    "redirect_uri": TEXT,
    "scope": TEXT,
    "state": TEXT,
    "nonce": TEXT,
    "code_challenge": TEXT,
    "code_challenge_method": TEXT,
    "integration": TEXT,
    "prompt": TEXT,
    "max_age": TEXT,
    "ui_locales": TEXT,
    "request_uri": TEXT,
}


@blueprint.route("/oauth/authorize", methods=["GET", "POST"])
@operation(
    "Begin a sign-up or sign-in in the person's browser",
    "OAuth",
    query=_QUERY,
    answers={200: TEXT, 303: None},
    answer_type="text/html",
)
def authorize() -> Response:
    """Our page; on to the provider where this browser accepted this very notice; or back with an error."""
    if request.method == "HEAD":
        raise MethodNotAllowed(valid_methods=["GET", "POST"])  # a look must not use a pushed request up
    too_many_starts()
    if request.method == "POST" and request.mimetype != FORM:
        raise UnsupportedMediaType(FORM)
    sent = request.form if request.method == "POST" else request.args
    try:
        return answer_with(arrive(gateway(), Parameters.of(sent.items(multi=True)), this_browser()))
    except SentBack as problem:
        return send_back(problem)


@blueprint.post("/oauth/authorize/<authorization_id>")
@operation(
    "The choices from our own page",
    "OAuth",
    security="browser",
    body=an_object({"form_token": TEXT, "action": TEXT}, {"age": TEXT, "push": TEXT, "integration": TEXT}),
    body_type=FORM,
    answers={200: TEXT, 303: None},
    answer_type="text/html",
)
def chosen(authorization_id: str) -> Response:
    """On to the provider, or the page again, or back to the app where the person said no."""
    push = tuple(request.form.getlist("push"))
    fields = {"action": "", "form_token": "", "age": "", "integration": ""} | _without_push()
    given = Form(
        form_token=Secret(fields["form_token"]),
        action=fields["action"],
        integration=fields["integration"],
        age=fields["age"],
        push=push,
    )
    try:
        return answer_with(choose(gateway(), authorization_id, given, this_browser()))
    except SentBack as problem:
        return send_back(problem)


def _without_push() -> dict[str, str]:
    """The single fields of the form; only the ticks may come several times."""
    if request.mimetype != FORM:
        raise UnsupportedMediaType(FORM)
    return {name: value for name, value in request.form.items() if name != "push"}
