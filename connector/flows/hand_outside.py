"""Something of a person goes to somebody outside: decided value by value, written down, told, and only then opened.

    request checked → decisions, as things stand → one transaction: ledger, release, notice to the person → plaintext

What the policy refuses is left out and named with its clause. Where the law forbids to tell the person, the notice lies
ready and is shown from the named day on; nothing else about the release is seen by them or the app before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector import inbox, records
from connector.flows import evidence
from connector.flows.gateway import Gateway
from connector.flows.outside_requests import Request, bound_by, checked, title_of, wanted
from connector.flows.provider_terms import terms_of
from connector.flows.release import release
from connector.flows.said_outside import counting, said_about
from connector.flows.stances import notice_toward
from connector.flows.standings import Ground, careful, ground_of, standing_of_value
from connector.inbox import NewItem, NewRelease
from connector.ledger import Entry, append_all
from connector.ledger import Kind as EntryKind
from connector.model.errors import RefusedByPolicy
from connector.model.ids import new_id
from connector.model.instants import iso
from connector.model.tags import Choice, Notice
from connector.policy import OWN, Decision
from connector.records import Card, SealedValue, open_value
from connector.storage import Transaction


@dataclass(frozen=True, slots=True)
class Handed:
    """What went. `document` is for the recipient; `withheld`: (pointer, clause, reason) of what did not go."""

    release_id: str
    document: Mapping[str, Any] = field(repr=False)
    count: int
    withheld: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Values by the decision on them."""

    ground: Ground
    cards: Mapping[str, Card]
    allowed: Sequence[tuple[SealedValue, Decision]]
    refused: Sequence[tuple[SealedValue, Decision]]


def hand_outside(gateway: Gateway, tenant_id: str, sub: str, request: Request) -> Handed:
    """Give what may be given.

    Raises:
        BadInput, Forbidden: as `outside_requests.checked`. NotFound: no such user, or a deleted one.
        RefusedByPolicy: none of it may go; with the clause of the first refusal.
    """
    checked(gateway, request, gateway.clock.now())
    with gateway.store.transaction() as tx:  # the person's no must be before or after the whole of this
        found = _sorted(gateway, tx, ground_of(gateway, tx, tenant_id, sub), request)
        if not found.allowed:
            refusal = next((decision for _, decision in found.refused), None)
            if refusal is None:
                return Handed("", {}, 0, ())
            raise RefusedByPolicy(refusal.clause, refusal.explanation, detail=refusal.rule_id)
        made = new_id("rel")
        values = release(
            found.allowed[0][1],
            record=lambda: _record(gateway, tx, found, request, made),
            opened=lambda: _opened(gateway, tx, found),
        )
        withheld = tuple((one.pointer, decision.clause, decision.explanation) for one, decision in found.refused)
        document = _document(gateway, request, found, made, values)
        return Handed(made, document, len(values), withheld)


def _sorted(gateway: Gateway, tx: Transaction, ground: Ground, request: Request) -> _Sorted:
    tenant_id, sub = ground.user.tenant_id, ground.user.sub
    cards = {card.id: card for kind in ("self", "contact") for card in records.of_person(tx, tenant_id, sub, kind=kind)}
    notice = notice_toward(gateway, tx, tenant_id, sub, request.recipient, request.name)
    said = said_about(gateway, tx, ground.user, request.use, request.name)
    decided = [
        (stored, _decision(gateway, ground, request, stored, notice, said))
        for stored in records.all_of(tx, tenant_id, sub)
        if wanted(request, cards, stored)
    ]
    allowed = [pair for pair in decided if pair[1].allowed]
    return _Sorted(ground, cards, allowed, [pair for pair in decided if not pair[1].allowed])


def _decision(  # noqa: PLR0917  a decision stands on all of these
    gateway: Gateway, ground: Ground, request: Request, stored: SealedValue, notice: Notice, said: Choice | None
) -> Decision:
    user = ground.user
    standing = standing_of_value(ground, request.use, stored)
    choice = (said or Choice.NONE) if stored.imported_from is None else counting(said, standing.choice)
    return gateway.policy.decide(
        request.use,
        careful(stored.tags, user),
        replace(standing, notice=notice, choice=choice),
        ground.at,
        user.last_visit_at,
        _terms(gateway, ground, stored),
    )


def _terms(gateway: Gateway, ground: Ground, stored: SealedValue) -> str:
    """The terms of the provider that a value came from."""
    connection = ground.connections.get(stored.imported_from or "")
    return OWN if connection is None else terms_of(gateway.policy, connection, stored.tags.category)


def _record(gateway: Gateway, tx: Transaction, found: _Sorted, request: Request, made: str) -> None:
    """Ledger, release, receipt and notice, before anything is opened."""
    user = found.ground.user
    append_all(tx, _entries(found, request, made))
    new = NewRelease(
        made,
        user.tenant_id,
        user.sub,
        request.recipient,
        request.name,
        request.use.purpose.value,
        request.fields,
        len(found.allowed),
        request.ground,
        request.silent_until,
    )
    inbox.keep_release(tx, gateway.vault, new)
    title, paragraphs = _words(gateway, found, request)
    evidence.note_release(
        gateway, tx, user, release_id=made, body={"what": title, "in_words": paragraphs, **_parts(request)}
    )
    item = inbox.post(
        tx,
        gateway.vault,
        NewItem(
            user.tenant_id,
            user.sub,
            "release",
            request.recipient,
            words=(title, paragraphs),
            shown_from=request.silent_until or 0,
        ),
    )
    inbox.queue_letter(tx, item)
    tx.after_commit(gateway.wakeup.notify)


def _entries(found: _Sorted, request: Request, made: str) -> list[Entry]:
    """One entry per category, source, connection and clause."""
    counts: dict[tuple[str, str, str | None, str, str], int] = {}
    for stored, decision in found.allowed:
        kind = (
            stored.tags.category.value,
            stored.tags.source.value,
            stored.imported_from,
            decision.clause,
            decision.version,
        )
        counts[kind] = counts.get(kind, 0) + 1
    user = found.ground.user
    return [
        Entry(
            EntryKind.RELEASE,
            user.tenant_id,
            user.pseudonym,
            {
                "release": made,
                "connection": connection,
                "use": request.use.action.value,
                "recipient": request.recipient,
                "purpose": request.use.purpose.value,
                "clause": clause,
                "policy_version": version,
                "categories": [category],
                "sources": [source],
                "count": count,
            },
        )
        for (category, source, connection, clause, version), count in sorted(counts.items(), key=str)
    ]


def _words(gateway: Gateway, found: _Sorted, request: Request) -> tuple[str, list[str]]:
    clauses = ", ".join(sorted({decision.clause for _, decision in found.allowed}))
    name = title_of(gateway, request.recipient, request.name)
    what = f"On {iso(found.ground.at)}, {len(found.allowed)} of your values were given to {name}."
    lines = [
        f"{what} Asked for: {', '.join(request.fields)}. Clause of the privacy policy: {clauses}.",
        f"{request.approver} answers for it. Reason: {request.reason}. Reference: {request.reference}.",
    ]
    if request.silent_because:
        lines.append(f"You are told only now, because the law forbade it: {request.silent_because}.")
    return f"Your data was given to {name}", lines


def _parts(request: Request) -> dict[str, Any]:
    return {
        "recipient": f"{request.recipient}:{request.name}",
        "purpose": request.use.purpose.value,
        "fields": list(request.fields),
        **request.ground,
    }


def _opened(gateway: Gateway, tx: Transaction, found: _Sorted) -> list[dict[str, Any]]:
    opened = []
    for stored, decision in found.allowed:
        key = gateway.vault.key(tx, stored.owner, stored.key_epoch)
        card = found.cards.get(stored.card_id)
        opened.append(
            {
                "card": stored.card_id,
                "about": "person" if card is not None and card.kind == "self" else "contact",
                "pointer": stored.pointer,
                "value": open_value(key, stored),
                "source": stored.tags.source.value,
                "clause": decision.clause,
            }
        )
    return opened


def _document(
    gateway: Gateway, request: Request, found: _Sorted, made: str, values: list[dict[str, Any]]
) -> dict[str, Any]:
    contract = bound_by(gateway, request)
    return {
        "release": made,
        "at": iso(found.ground.at),
        **_parts(request),
        **({"contract": contract} if contract else {}),
        "person": found.ground.user.sub,
        "values": values,
    }
