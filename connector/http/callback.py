"""`/callback/{integration_id}`: where a provider sends the browser back to. One address per integration."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, redirect, request
from werkzeug import Response
from werkzeug.exceptions import MethodNotAllowed

from connector.flows.signup_link import Parameters, SentBack, hold_posted, returned
from connector.http.context import gateway
from connector.http.limits import too_many_starts
from connector.http.operations import TEXT, operation
from connector.http.pages.consent import SEE_OTHER, send_back
from connector.http.pages.cookies import release_flow, this_browser
from connector.http.request import FORM, UnsupportedMediaType

blueprint = Blueprint("callback", __name__)

_QUERY = {"code": TEXT, "state": TEXT, "iss": TEXT, "error": TEXT}


@blueprint.get("/callback/<integration_id>")
@operation(
    "The provider's return",
    "Providers",
    security="browser",
    query=_QUERY,
    answers={303: None},
    answer_type="text/html",
)
def by_get(integration_id: str) -> Response:
    """On to the app, with our code or with an error. The address without the provider's code is all that is left."""
    if request.method != "GET":
        raise MethodNotAllowed(valid_methods=["GET", "POST"])  # a HEAD would use the state up
    too_many_starts()
    parameters = Parameters.of(request.args.items(multi=True))
    try:
        url, authorization_id = returned(gateway(), integration_id, parameters, this_browser())
    except SentBack as problem:
        return send_back(problem)
    answer = redirect(url, SEE_OTHER)
    release_flow(answer, authorization_id)
    return answer


@blueprint.post("/callback/<integration_id>")
@operation("The provider's return as a form", "Providers", answers={303: None}, answer_type="text/html")
def by_post(integration_id: str) -> Response:
    """A cross-site POST comes without our cookie: what it brought is sealed, and the browser comes again by GET."""
    too_many_starts()
    if request.mimetype != FORM:
        raise UnsupportedMediaType(FORM)
    handle = hold_posted(gateway(), integration_id, Parameters.of(request.form.items(multi=True)))
    return redirect(f"/callback/{integration_id}?{urlencode({'handle': handle.reveal()})}", SEE_OTHER)
