"""`/portal`: what may happen with a person's information, and what they are asked again."""

from __future__ import annotations

from flask import Blueprint, redirect
from werkzeug import Response as BaseResponse

from connector.flows import explain_flows, stale_choices
from connector.http.context import gateway
from connector.http.operations import TEXT, operation
from connector.http.pages.portal_session import FORM_ROUTE, SEE_OTHER, person, shown, signed_in

blueprint = Blueprint("portal_policy", __name__)

_PAGE = {"security": "session", "answers": {200: TEXT}, "answer_type": "text/html"}


@blueprint.get("/portal/flows")
@operation("What may happen with a person's information", "People", **_PAGE)
@signed_in
def flows() -> BaseResponse:
    """Every possible flow: open or closed for them now, by which clause, and the one switch that closes it."""
    session = person()
    found = explain_flows.flows_of(gateway(), session.tenant_id, session.sub)
    return shown("flows.html", flows=found, here="flows")


@blueprint.get("/portal/choices/<consent_id>/renew")
@operation("Before a choice is made again", "People", **_PAGE)
@signed_in
def before_renewing(consent_id: str) -> BaseResponse:
    """What the policy would newly allow by it."""
    return shown("renew.html", asked=stale_choices.asked_again(gateway(), person(), consent_id), here="accounts")


@blueprint.post("/portal/choices/<consent_id>/renew")
@operation("Make a choice again", "People", **FORM_ROUTE)
@signed_in
def renew(consent_id: str) -> BaseResponse:
    """The person agrees to what the policy says now."""
    kept = stale_choices.agree_again(gateway(), person(), consent_id)
    return redirect(f"/portal/accounts/{kept.connection_id}", SEE_OTHER)
