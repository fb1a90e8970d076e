"""`/portal`: what a person does on their own pages. Each is a form of ours; nothing changes by a link."""

from __future__ import annotations

import json

from flask import Blueprint, Response, g, make_response, redirect, render_template
from werkzeug import Response as BaseResponse

from connector.flows import portal, portal_choices
from connector.flows.confirm_adoption import Choices
from connector.flows.confirm_adoption import confirm as confirm_adoption
from connector.flows.erase import REMAINS, delete_user
from connector.flows.evidence import receipt_file
from connector.flows.export import export_user
from connector.flows.portal_choices import drop_older_copies
from connector.flows.revoke import revoke
from connector.http.context import gateway
from connector.http.limits import too_many_starts
from connector.http.operations import TEXT, an_object, operation
from connector.http.pages.cookies import says_gpc
from connector.http.pages.portal_session import (
    FORM_ROUTE,
    SEE_OTHER,
    begin,
    fields,
    finish,
    from_our_page,
    person,
    signed_in,
)
from connector.http.pages.portal_views import delete_page
from connector.http.request import form
from connector.model.errors import BadInput
from connector.model.states import Ended
from providers.secret import Secret

blueprint = Blueprint("portal_actions", __name__)

UNPROCESSABLE = 422
_LINK = FORM_ROUTE | {"security": "link", "body": an_object({"link": TEXT})}


@blueprint.post("/portal/enter")
@operation("Enter a person's own pages", "People", **_LINK)
def enter() -> BaseResponse:
    """The click: the link is used up and a session begins."""
    too_many_starts()
    from_our_page()
    secret, _session = portal.enter(gateway(), Secret(form().get("link", "")), gpc=says_gpc())
    answer = redirect("/portal", SEE_OTHER)
    begin(answer, secret)
    return answer


@blueprint.post("/portal/choices/<consent_id>/withdraw")
@operation("Take a choice back", "People", **FORM_ROUTE)
@signed_in
def withdraw(consent_id: str) -> BaseResponse:
    """One click, as giving it was."""
    ended = portal_choices.withdraw(gateway(), person(), consent_id)
    return redirect(f"/portal/accounts/{ended.connection_id}", SEE_OTHER)


@blueprint.post("/portal/accounts/<connection_id>/notice")
@operation("Confirm an account that was moved in", "People", **FORM_ROUTE)
@signed_in
def confirm(connection_id: str) -> BaseResponse:
    """The person has seen the notice; what they ticked opens."""
    sent = fields()
    choices = Choices(
        notice_hash=sent.get("notice", ""),
        age=sent.get("age", ""),
        imports=frozenset(name.removeprefix("import:") for name in sent if name.startswith("import:")),
        push=frozenset(name.removeprefix("push:") for name in sent if name.startswith("push:")),
    )
    confirm_adoption(gateway(), person(), connection_id, choices)
    return redirect(f"/portal/accounts/{connection_id}", SEE_OTHER)


@blueprint.post("/portal/accounts/<connection_id>/push/<group>")
@operation("Send a field group on from now on", "People", **FORM_ROUTE)
@signed_in
def switch_on(connection_id: str, group: str) -> BaseResponse:
    """The person has seen the provider's policy and the exact request, and says yes."""
    portal_choices.switch_on(gateway(), person(), connection_id, group)
    return redirect(f"/portal/accounts/{connection_id}", SEE_OTHER)


@blueprint.post("/portal/accounts/<connection_id>/disconnect")
@operation("Disconnect an account", "People", **FORM_ROUTE)
@signed_in
def disconnect(connection_id: str) -> BaseResponse:
    """It ends here at once; the provider is told in the background."""
    when = fields().get("when", "")
    if when not in {"now", "window"}:
        raise BadInput("no_choice", "Say when what was imported is destroyed: now, or at the end of the window.")
    view = portal.account(gateway(), person(), connection_id)
    revoke(gateway(), person().tenant_id, view.connection.id, by=Ended.PERSON, erase_now=when == "now")
    return redirect(f"/portal/accounts/{connection_id}", SEE_OTHER)


@blueprint.post("/portal/export")
@operation("Download everything", "People", **(FORM_ROUTE | {"answers": {200: TEXT}, "answer_type": "application/zip"}))
@signed_in
def export() -> Response:
    """One zip, made now and kept nowhere."""
    exported = export_user(gateway(), person().tenant_id, person().sub)
    return Response(
        exported.content,
        content_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="my-data.zip"'},
    )


@blueprint.post("/portal/data/older/drop")
@operation("Drop older copies", "People", **FORM_ROUTE)
@signed_in
def drop_older() -> BaseResponse:
    """What the person typed in before and changed since is kept for protection only; they may drop it."""
    drop_older_copies(gateway(), person())
    return redirect("/portal/data", SEE_OTHER)


@blueprint.post("/portal/delete")
@operation("Delete the account", "People", **(FORM_ROUTE | {"answers": {200: TEXT}}))
@signed_in
def delete() -> BaseResponse:
    """Everything goes. What remains is said, with the receipt to keep."""
    session = person()
    if fields().get("sure") != "yes":
        page = delete_page("Tick that you are sure. Nothing was deleted.")
        page.status_code = UNPROCESSABLE
        return page
    app = portal.app_name(gateway(), session)
    clear = fields().get("clear") == "sent"
    erased = delete_user(gateway(), session.tenant_id, session.sub, Ended.PERSON, clear=clear)
    receipt = json.loads(receipt_file(gateway(), session.tenant_id, erased.receipt_id))
    page = make_response(
        render_template(
            "portal/deleted.html",
            app=app,
            return_url=session.return_url,
            receipt=json.dumps(receipt, indent=2),
            codes=erased.status_codes,
            remains=REMAINS,
            sent=erased.sent,
            told=erased.told,
        )
    )
    finish(page)
    return page


@blueprint.post("/portal/leave")
@operation("Sign off", "People", **(FORM_ROUTE | {"answers": {200: TEXT}}))
@signed_in
def leave() -> BaseResponse:
    """The session is over here and at the gateway."""
    app, return_url = portal.app_name(gateway(), person()), person().return_url
    portal.leave(gateway(), g.portal_secret)
    page = make_response(render_template("portal/left.html", app=app, return_url=return_url))
    finish(page)
    return page
