"""`connector disclosures`: what goes to somebody outside, by a named person who answers for it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from connector import inbox
from connector.cli.files import new_file
from connector.cli.session import Session, session_options
from connector.cli.tenants import chosen_tenant, tenant_option
from connector.cli.users import tenant_of
from connector.flows.forwarding import told_by_hand
from connector.flows.hand_everybody import hand_everybody
from connector.flows.hand_outside import hand_outside
from connector.flows.outside_notices import announce_outside
from connector.flows.outside_requests import Request, checked, recipient_of
from connector.model.errors import BadInput, NotFound
from connector.model.instants import iso
from connector.people import everybody

to_option = click.option(
    "--to", required=True, metavar="WHOM", help="authority:NAME, acquirer:NAME, agent:NAME or affiliate:NAME."
)


@click.group()
def disclosures() -> None:
    """Disclosures: what is given to somebody outside, and the notices that come first."""


@disclosures.command(
    epilog="Example: connector disclosures release --to authority:court --user usr_… --fields name,emails "
    "--approver 'Ada Byron' --reason 'court order' --reference 'case 12/26' --out ./for-the-court.json"
)
@to_option
@click.option("--fields", required=True, metavar="F", help="Field groups, birthday, contacts or notes; commas between.")
@click.option("--approver", required=True, metavar="NAME", help="Who answers for it, by name.")
@click.option("--reason", required=True, metavar="R", help="Why.")
@click.option("--reference", required=True, metavar="REF", help="The case, contract or transaction.")
@click.option("--user", metavar="SUB", help="Of whom.")
@click.option("--everyone", is_flag=True, help="Of everybody of the tenant who did not object: business transfers.")
@click.option("--purpose", metavar="P", default="", help="Else protect, transfer or service, by the recipient.")
@click.option("--silent-until", metavar="DATE", help="The law forbids to tell the person before this day.")
@click.option("--silent-because", metavar="LAW", default="", help="Which law, or which order.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A new file, for you alone."
)
@tenant_option
@session_options
def release(
    session: Session,
    *,
    to: str,
    fields: str,
    approver: str,
    reason: str,
    reference: str,
    user: str | None,
    everyone: bool,
    purpose: str,
    silent_until: str | None,
    silent_because: str,
    out: Path,
    tenant: str | None,
) -> None:
    """Write what may go to somebody outside into a file. The ledger first, and the person is told."""
    recipient, name = recipient_of(to)
    request = Request(
        recipient,
        name,
        tuple(filter(None, (word.strip() for word in fields.split(",")))),
        approver,
        reason,
        reference,
        purpose,
        _day(silent_until),
        silent_because,
    )
    if (user is None) == (not everyone):
        raise BadInput("of_whom", "Say of whom: --user SUB, or --everyone for a business transfer.")
    checked(session.gateway, request, session.gateway.clock.now())
    if user is not None:
        _one(session, tenant_of(session, user), user, request, out)
    else:
        _all(session, request, out, tenant)


@disclosures.command("list", epilog="Example: connector disclosures list --user usr_…")
@click.option("--user", required=True, metavar="SUB", help="Of whom.")
@session_options
def list_(session: Session, *, user: str) -> None:
    """List what was given outside about a person, also what they may not be told of yet."""
    tenant_id = tenant_of(session, user)
    with session.store.read() as tx:
        found = inbox.releases_of(tx, session.vault, tenant_id, user, hidden=True)
        grounds = [inbox.terms_of_release(tx, session.vault, one) for one in found]
    rows = [
        {
            "id": one.id,
            "at": iso(one.created_at),
            "to": f"{one.recipient}:{one.name}",
            "purpose": one.purpose,
            "fields": list(one.fields),
            "values": one.count,
            "silent_until": iso(one.silent_until),
            **ground,
        }
        for one, ground in zip(found, grounds, strict=True)
    ]
    session.out.document(
        rows,
        lambda: session.out.table(
            ("at", "to", "fields", "values", "approver", "reference", "told"),
            [
                (
                    row["at"],
                    row["to"],
                    row["fields"],
                    row["values"],
                    row["approver"],
                    row["reference"],
                    row["silent_until"],
                )
                for row in rows
            ],
            empty="Nothing was given outside about this person.",
        ),
    )


@disclosures.command(
    epilog="Example: connector disclosures announce --to acquirer:buyer --title 'We join Buyer' --text-file words.txt"
)
@to_option
@click.option("--title", required=True, metavar="T", help="One line.")
@click.option(
    "--text-file",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The words; an empty line parts paragraphs.",
)
@click.option("--effective", metavar="DATE", help="It does not begin before this day, whoever's time is over earlier.")
@tenant_option
@session_options
def announce(
    session: Session, *, to: str, title: str, text_file: Path, effective: str | None, tenant: str | None
) -> None:
    """Tell everybody of a sharing (3e) or a transfer (3c), with their time to object. The worker posts it."""
    with session.store.read() as tx:
        chosen = chosen_tenant(tx, tenant)
    paragraphs = [part.strip() for part in text_file.read_text(encoding="utf-8").split("\n\n") if part.strip()]
    made = announce_outside(session.gateway, chosen.id, recipient_of(to), title, paragraphs, _day(effective) or 0)
    days = made.window_ms // 86_400_000
    session.out.document(
        {"notice": made.id, "kind": made.kind, "topic": made.topic, "window_ms": made.window_ms},
        lambda: session.out.say(f"Announced as {made.id}. Everybody has {days} days from when it lies in their inbox."),
    )


@disclosures.command(epilog="Example: connector disclosures erasures")
@session_options
def erasures(session: Session) -> None:
    """List whom no letter could tell to erase what they were given: yours to tell."""
    with session.store.read() as tx:
        found = inbox.by_hand(tx)
    rows = [
        {"id": one.id, "to": f"{one.recipient}:{one.name}", "release": one.reference, "since": iso(one.created_at)}
        for one in found
    ]
    session.out.document(
        rows,
        lambda: session.out.table(
            ("id", "to", "release", "since"), [tuple(row.values()) for row in rows], empty="Everybody was told."
        ),
    )


@disclosures.command(epilog="Example: connector disclosures told fwd_…")
@click.argument("forwarding", metavar="ID")
@session_options
def told(session: Session, *, forwarding: str) -> None:
    """Say that you told somebody to erase what they were given; it goes into the ledger."""
    if not told_by_hand(session.gateway, forwarding):
        raise NotFound("erasure to be told; list them with: connector disclosures erasures")
    session.out.document({"erasure": forwarding, "told": True}, lambda: session.out.say("Written down."))


def _one(session: Session, tenant_id: str, sub: str, request: Request, out: Path) -> None:
    with os.fdopen(new_file(out), "w", encoding="utf-8") as target:
        try:
            handed = hand_outside(session.gateway, tenant_id, sub, request)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
        target.write(json.dumps(handed.document, indent=2, ensure_ascii=False) + "\n")
    _told(session, {"release": handed.release_id, "values": handed.count, "file": str(out)}, handed.withheld)


def _all(session: Session, request: Request, out: Path, tenant: str | None) -> None:
    if request.recipient != "acquirer":
        raise BadInput("everyone_is_a_transfer", "Only a business transfer may speak of everyone; name a --user.")
    with session.store.read() as tx:
        chosen = chosen_tenant(tx, tenant)
        subs = everybody(tx, chosen.id)
    if not subs:
        raise NotFound("user; this tenant has nobody")
    people = left_out = 0
    with os.fdopen(new_file(out), "w", encoding="utf-8") as target, session.out.progress("people") as tell:
        for number, handed in enumerate(hand_everybody(session.gateway, chosen.id, subs, request), 1):
            if handed is None:
                left_out += 1
            else:
                target.write(json.dumps(handed.document, ensure_ascii=False) + "\n")
                people += 1
            tell(number, len(subs))
    _told(session, {"people": people, "left_out": left_out, "file": str(out)}, ())


def _told(session: Session, value: dict[str, Any], withheld: tuple[tuple[str, str, str], ...]) -> None:
    listed = [{"pointer": pointer, "clause": clause, "reason": reason} for pointer, clause, reason in withheld]

    def show() -> None:
        session.out.facts(value)
        for pointer, clause, reason in withheld:
            session.out.say(f"Not given: {pointer} (clause {clause}): {reason}")

    session.out.document({**value, "withheld": listed}, show)


def _day(text: str | None) -> int | None:
    """A day as ms since the epoch, UTC. Raises BadInput."""
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError as error:
        raise BadInput("bad_day", "Write days as 2026-11-30.") from error
