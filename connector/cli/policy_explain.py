"""`connector policy explain`: what may happen with a person's information, why, and what closes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connector.cli.policy_folder import directory_option, known_policy
from connector.cli.session import Session, session_options
from connector.cli.users import tenant_of
from connector.flows.explain_flows import Case, FlowView, flows_of
from connector.model.tags import Action, Category
from connector.policy import Version, flows
from connector.policy.boxes import boxes_by_use
from connector.policy.rules import Effect
from connector.policy.space import Box, Cells
from connector.policy.words import phrase


@click.command(epilog="Example: connector policy explain push contact --provider github --user usr_…")
@click.argument("action", required=False, type=click.Choice([word.value for word in Action]))
@click.argument("category", required=False, type=click.Choice([word.value for word in Category]))
@click.option("--provider", help="Only what comes from this provider's account, or goes to it.")
@click.option("--user", "sub", help="The person; else the conditions under which each flow is open for anybody.")
@directory_option
@session_options
def explain(
    session: Session,
    *,
    action: str | None,
    category: str | None,
    provider: str | None,
    sub: str | None,
    directory: Path | None,
) -> None:
    """Every possible flow: open or closed, by which clause, and the one switch that closes it."""
    if sub is None:
        _anybody(session, known_policy(session, directory).versions[-1], directory, action, category, provider)
        return
    found = flows_of(session.gateway, tenant_of(session, sub), sub, action=action, category=category, provider=provider)
    rows = [_row(flow, case) for flow in found for case in flow.cases]
    session.out.document(
        [_plain(flow) for flow in found],
        lambda: session.out.table(
            ("flow", "information", "now", "clause", "why", "what closes it"), rows, empty="No flow is like that."
        ),
    )


def _row(flow: FlowView, case: Case) -> tuple[object, ...]:
    switch = "" if case.switch is None else f"{case.switch.words} ({case.switch.href})"
    return flow.flow, case.what, "open" if case.open else "closed", case.clause, case.explanation, switch


def _plain(flow: FlowView) -> dict[str, Any]:
    cases = [asdict(case) for case in flow.cases]
    return {"flow": flow.flow, "meaning": flow.meaning, "open": flow.open, "clauses": flow.clauses, "cases": cases}


def _anybody(  # noqa: PLR0917  each narrows the answer
    session: Session,
    version: Version,
    directory: Path | None,
    action: str | None,
    category: str | None,
    provider: str | None,
) -> None:
    terms = next((one.name for one in version.book.overlays if one.provider == provider), "")
    about = Cells.of(Box({} if category is None else {"category": frozenset([Category(category)])}))
    allowed = version.tables_under(terms).allowed & about
    boxes = {str(use): found for use, found in boxes_by_use(allowed).items()}
    rows = []
    for flow in flows(known_policy(session, directory)):
        name = f"{flow.action} {flow.recipient} {flow.purpose}"
        if action in {None, flow.action} and name in boxes:
            rows.append(
                (name, flow.clauses, [phrase(box) for box in boxes[name]], list(_refusing(version, name, terms)))
            )
    value = [
        {"flow": name, "clauses": clauses, "open_for": open_for, "refused_by": refused}
        for name, clauses, open_for, refused in rows
    ]
    session.out.document(
        value,
        lambda: session.out.table(
            ("flow", "clauses", "open for", "else refused by"),
            [(name, clauses, "\n".join(found), refused) for name, clauses, found, refused in rows],
            empty="No flow is like that.",
        ),
    )


def _refusing(version: Version, flow: str, terms: str) -> Iterator[str]:
    """The rules that refuse part of a flow."""
    overlay = version.overlay(terms)
    for rule in (*version.book.rules, *(() if overlay is None else overlay.rules)):
        words = dict(zip(("action", "recipient", "purpose"), flow.split(" "), strict=True))
        if rule.effect is Effect.DENY and all(word in rule.box.allows(name) for name, word in words.items()):
            yield rule.id
