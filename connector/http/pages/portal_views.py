"""`/portal`: what a person sees on their own pages."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from werkzeug import Response as BaseResponse

from connector.flows import confirm_adoption, portal, portal_choices
from connector.flows.disclosures import disclosures_of, received_by
from connector.flows.erase import REMAINS
from connector.flows.evidence import receipt_file
from connector.flows.forwarding import passed_on
from connector.flows.read_records import read_for_owner
from connector.flows.revoke import window_ms
from connector.http.context import gateway
from connector.http.limits import too_many_starts
from connector.http.operations import TEXT, operation
from connector.http.pages.portal_session import person, shown, signed_in
from connector.http.pages.portal_words import WORDS
from connector.http.request import query
from connector.ledger import verify_file
from connector.model.errors import BadInput
from connector.model.tags import Action
from providers.capabilities import field_group

blueprint = Blueprint("portal", __name__)
blueprint.add_app_template_global(lambda: WORDS, "portal_words")

SHOWN = 100
RECEIVED = 1_000  # so many disclosures are looked through for who got what
_PAGE = {"security": "session", "answers": {200: TEXT}, "answer_type": "text/html"}


@blueprint.get("/portal/enter")
@operation("The way to a person's own pages", "People", query={"link": TEXT}, **(_PAGE | {"security": "link"}))
def entrance() -> str:
    """A page with one button. Whatever only looks at the link (a scanner, a preview) does not use it up."""
    too_many_starts()
    link = query(("link",)).get("link", "")
    if request.method != "GET" or not link:
        raise BadInput("no_link", "The link is not whole. Go back to the app and open your pages again.")
    return render_template("portal/enter.html", link=link)


@blueprint.get("/portal")
@operation("A person's own pages", "People", **_PAGE)
@signed_in
def overview() -> BaseResponse:
    """Every connected account, and the ways to everything else."""
    return shown("overview.html", accounts=portal.accounts(gateway(), person()), here="accounts")


@blueprint.get("/portal/accounts/<connection_id>")
@operation("One connected account", "People", **_PAGE)
@signed_in
def one_account(connection_id: str) -> BaseResponse:
    """What comes in, what goes out, and the end of it."""
    return shown("account.html", view=portal.account(gateway(), person(), connection_id), here="accounts")


@blueprint.get("/portal/accounts/<connection_id>/notice")
@operation("Before a moved account is confirmed", "People", **_PAGE)
@signed_in
def before_confirming(connection_id: str) -> BaseResponse:
    """What a sign-up would have shown, and its choices, unticked."""
    notice = confirm_adoption.shown_notice(gateway(), person(), connection_id)
    view = portal.account(gateway(), person(), connection_id)
    return shown("notice.html", view=view, notice=notice, here="accounts")


@blueprint.get("/portal/accounts/<connection_id>/push/<group>")
@operation("Before something is sent on", "People", **_PAGE)
@signed_in
def before_push(connection_id: str, group: str) -> BaseResponse:
    """The provider's own policy first, then the exact requests."""
    view, preview = portal_choices.offered(gateway(), person(), connection_id, group)
    switch = next(one for one in view.pushes if one.word == group)
    return shown("push.html", view=view, preview=preview, switch=switch, here="accounts")


@blueprint.get("/portal/accounts/<connection_id>/disconnect")
@operation("Before an account is disconnected", "People", **_PAGE)
@signed_in
def before_revoking(connection_id: str) -> BaseResponse:
    """What will happen, the download first, and when the imported data goes."""
    view = portal.account(gateway(), person(), connection_id)
    return shown("disconnect.html", view=view, days=window_ms(gateway()) // 86_400_000, here="accounts")


@blueprint.get("/portal/data")
@operation("What is held about a person", "People", **_PAGE)
@signed_in
def data() -> BaseResponse:
    """Each value with where it came from, under which version of the policy, and who got such values."""
    session = person()
    views = read_for_owner(gateway(), session.tenant_id, session.sub, Action.SHOW)
    titles = {view.connection.id: view.provider for view in portal.accounts(gateway(), session)}
    received = received_by(disclosures_of(gateway(), session.tenant_id, session.sub, limit=RECEIVED))
    return shown(
        "data.html",
        received=received,
        group_of=field_group,
        own=[view for view in views if view.card is not None and view.card.kind == "self" and view.shown],
        contacts=[view for view in views if view.card is not None and view.card.kind == "contact" and view.shown],
        closed=sum(len(view.withheld) for view in views),
        older=sum(one.stored.tags.revision.value == "unrevised" for view in views for one in view.shown),
        titles=titles,
        most=SHOWN,
        here="data",
    )


@blueprint.get("/portal/disclosures")
@operation("Who got what of a person", "People", **_PAGE)
@signed_in
def disclosures() -> BaseResponse:
    """Who got what, when, and under which clause."""
    session = person()
    titles = {view.connection.id: view.provider for view in portal.accounts(gateway(), session)}
    found = disclosures_of(gateway(), session.tenant_id, session.sub, limit=SHOWN)
    return shown("disclosures.html", disclosures=found, titles=titles, most=SHOWN, here="disclosures")


@blueprint.get("/portal/receipts")
@operation("A person's receipts", "People", **_PAGE)
@signed_in
def receipts() -> BaseResponse:
    """The newest version of each."""
    return shown("receipts.html", receipts=portal.receipts(gateway(), person()), here="receipts")


@blueprint.get("/portal/receipts/<receipt_id>/read")
@operation("Read a receipt", "People", **_PAGE)
@signed_in
def read_receipt(receipt_id: str) -> BaseResponse:
    """What the file says, in plain words, and that it holds."""
    session = person()
    content = receipt_file(gateway(), session.tenant_id, receipt_id, sub=session.sub)
    verdict = verify_file(content)
    return shown("receipt.html", receipt=verdict.body or {}, checks=verdict.checks, id=receipt_id, here="receipts")


@blueprint.get("/portal/receipts/<receipt_id>")
@operation("Download a receipt", "People", security="session", answers={200: {"type": "object"}})
@signed_in
def receipt(receipt_id: str) -> Response:
    """The file that verifies offline."""
    session = person()
    content = receipt_file(gateway(), session.tenant_id, receipt_id, sub=session.sub)
    return Response(
        content,
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="receipt-{receipt_id}.json"'},
    )


@blueprint.get("/portal/delete")
@operation("Before an account is deleted", "People", **_PAGE)
@signed_in
def before_deleting() -> BaseResponse:
    """What goes, what remains, and the download first."""
    return delete_page()


def delete_page(problem: str = "") -> BaseResponse:
    """The page, with what was wrong."""
    session = person()
    sent, told = passed_on(gateway(), session.tenant_id, session.sub)
    return shown(
        "delete.html",
        accounts=portal.accounts(gateway(), session),
        remains=REMAINS,
        sent=sent,
        told=told,
        here="delete",
        problem=problem,
    )
