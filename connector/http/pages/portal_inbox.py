"""`/portal/inbox`: the notices on a person's own pages, their yes and no; and the click that ends all mail."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template
from werkzeug import Response as BaseResponse

from connector.flows import opting_out, stances, transfer_consent
from connector.flows.inbox_view import general_stances, lying_in, recipients
from connector.http.context import gateway
from connector.http.limits import too_many_starts
from connector.http.operations import TEXT, an_object, operation
from connector.http.pages.portal_session import fields, person, shown, signed_in
from connector.http.request import FORM

blueprint = Blueprint("portal_inbox", __name__)

SEE_OTHER = 303
_PAGE = {"security": "session", "answers": {200: TEXT}, "answer_type": "text/html"}
_FORM = _PAGE | {"body": an_object({"form_token": TEXT}), "body_type": FORM, "answers": {SEE_OTHER: None}}
_LINK = {"security": "link", "answers": {200: TEXT}, "answer_type": "text/html"}


@blueprint.get("/portal/inbox")
@operation("A person's notices", "People", **_PAGE)
@signed_in
def inbox() -> BaseResponse:
    """What they were told, what they can still prevent, and who may get something."""
    session = person()
    general = general_stances(gateway(), session.tenant_id, session.sub)
    return shown(
        "inbox.html",
        notices=lying_in(gateway(), session.tenant_id, session.sub),
        recipients=recipients(gateway(), session.tenant_id, session.sub),
        mail=general.get("mail"),
        affiliates=general.get("affiliate"),
        here="inbox",
    )


@blueprint.post("/portal/inbox/<item_id>/object")
@operation("Object to what a notice announces", "People", **_FORM)
@signed_in
def object_to(item_id: str) -> BaseResponse:
    """One click."""
    session = person()
    stances.object_to(gateway(), session.tenant_id, item_id, sub=session.sub, by="subject")
    return redirect("/portal/inbox", SEE_OTHER)


@blueprint.get("/portal/inbox/<item_id>/consent")
@operation("Before saying yes to a transfer", "People", **_PAGE)
@signed_in
def before_consenting(item_id: str) -> BaseResponse:
    """What came from which account, to whom it would go, and whose terms ask for a yes."""
    return shown("transfer.html", asked=transfer_consent.question(gateway(), person(), item_id), here="inbox")


@blueprint.post("/portal/inbox/<item_id>/consent")
@operation("Say yes to a transfer", "People", **_FORM)
@signed_in
def consent_to(item_id: str) -> BaseResponse:
    """The person lets what came from these accounts go with the business."""
    transfer_consent.agree(gateway(), person(), item_id)
    return redirect("/portal/inbox", SEE_OTHER)


@blueprint.post("/portal/inbox/<item_id>/take-back")
@operation("Take an objection or a yes back", "People", **_FORM)
@signed_in
def take_back(item_id: str) -> BaseResponse:
    """One click, as saying it was."""
    stances.take_back(gateway(), person(), item_id)
    return redirect("/portal/inbox", SEE_OTHER)


@blueprint.post("/portal/stances")
@operation(
    "Say yes or no toward somebody outside, or to mail",
    "People",
    **(_FORM | {"body": an_object({"form_token": TEXT, "toward": TEXT, "name": TEXT, "stance": TEXT})}),
)
@signed_in
def say() -> BaseResponse:
    """It counts from the next decision on."""
    given = fields()
    stances.say(gateway(), person(), given.get("toward", ""), given.get("name", ""), given.get("stance", ""))
    return redirect("/portal/inbox", SEE_OTHER)


@blueprint.get("/mail/<item_id>/<proof>")
@operation("Before all mail ends", "People", **_LINK)
def before_opting_out(item_id: str, proof: str) -> str:
    """A page with one button: whatever only looks at the link opts nobody out."""
    too_many_starts()
    opting_out.check_link(gateway(), item_id, proof)
    return render_template("portal/mail.html", done=False, contact=gateway().settings.policy.controller.contact)


@blueprint.post("/mail/<item_id>/<proof>")
@operation("No more mail (RFC 8058)", "People", **(_LINK | {"body": an_object({}), "body_type": FORM}))
def opt_out(item_id: str, proof: str) -> str:
    """One click, from the page or from the mail program, without signing in."""
    too_many_starts()
    opting_out.opt_out(gateway(), item_id, proof)
    return render_template("portal/mail.html", done=True, contact=gateway().settings.policy.controller.contact)
