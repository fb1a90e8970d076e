"""Many values of one person, released together: decided by groups that stand alike, entered, then opened.

The only place in the flows that opens stored values for somebody to read; a house test holds it to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from connector.flows.gateway import Gateway
from connector.flows.release import release
from connector.flows.standings import Ground, decision_on
from connector.ledger import Entry, append_all
from connector.ledger import Kind as EntryKind
from connector.model.tags import Use
from connector.policy import Decision
from connector.records import Piece, SealedValue, open_value
from connector.storage import Transaction
from vault import DataKey, KeyDestroyed, KeyUnknown, Owner, VaultError

_log = structlog.get_logger("records")
_UNREADABLE = "It does not open as what it was stored as, so it is not used; the operator finds it in the log."


@dataclass(frozen=True, slots=True)
class Shown:
    """A value that was released. `clause` allowed it."""

    stored: SealedValue
    value: Any = field(repr=False)
    clause: str

    @property
    def piece(self) -> Piece:
        """The same for a view of the whole card."""
        return Piece(self.stored.pointer, self.value, self.stored.imported_from, self.stored.collected_at)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A value that was not released, and why: the clause ("" where it cannot be opened) and a sentence."""

    stored: SealedValue
    clause: str
    reason: str


def released(
    gateway: Gateway, ground: Ground, use: Use, stored: Sequence[SealedValue], *, client_id: str | None
) -> tuple[list[Shown], list[Withheld]]:
    """Decide once for all values that stand alike, and let go what is allowed.

    `client_id` names the app that gets them; None where the person themselves does.
    """
    groups: dict[int, tuple[Decision, list[SealedValue]]] = {}
    for value in stored:
        decision = decision_on(gateway, ground, use, value)
        groups.setdefault(id(decision), (decision, []))[1].append(value)
    shown: list[Shown] = []
    withheld: list[Withheld] = []
    for decision, alike in groups.values():
        if not decision.allowed:
            withheld += [Withheld(value, decision.clause, decision.explanation) for value in alike]
            continue
        entries = _entries(ground, use, decision, alike, client_id)
        opened = release(
            decision,
            record=lambda written=entries: _record(gateway, written),  # type: ignore[misc]  # bound now, not at the call
            opened=lambda sealed=alike: _opened(gateway, sealed),  # type: ignore[misc]  # the same
        )
        for value, plain in opened:
            if isinstance(plain, _DoesNotOpen):
                withheld.append(Withheld(value, "", _UNREADABLE))
            else:
                shown.append(Shown(value, plain, decision.clause))
    return shown, withheld


class _DoesNotOpen:
    """Stands for a value whose seal, key or place is not right."""


def _opened(gateway: Gateway, stored: Sequence[SealedValue]) -> list[tuple[SealedValue, Any]]:
    keys: dict[tuple[Owner, int], DataKey | None] = {}
    found: list[tuple[SealedValue, Any]] = []
    with gateway.store.read() as tx:
        for value in stored:
            named = (value.owner, value.key_epoch)
            if named not in keys:
                keys[named] = _key(gateway, tx, value)
            key = keys[named]
            found.append((value, _DoesNotOpen() if key is None else _plain(key, value)))
    return found


def _key(gateway: Gateway, tx: Transaction, stored: SealedValue) -> DataKey | None:
    try:
        return gateway.vault.key(tx, stored.owner, stored.key_epoch)
    except (KeyDestroyed, KeyUnknown):
        return None


def _plain(key: DataKey, stored: SealedValue) -> Any:
    try:
        return open_value(key, stored)
    except (VaultError, ValueError) as error:
        _log.error("records.value_does_not_open", record=stored.id, error=type(error).__name__)
        return _DoesNotOpen()


def _record(gateway: Gateway, entries: Sequence[Entry]) -> None:
    with gateway.store.transaction() as tx:
        append_all(tx, entries)


def _entries(
    ground: Ground, use: Use, decision: Decision, stored: Sequence[SealedValue], client_id: str | None
) -> list[Entry]:
    """One entry per category, source and connection: who gets how many of what, under which clause."""
    counts: dict[tuple[str, str, str | None], int] = {}
    for value in stored:
        kind = (value.tags.category.value, value.tags.source.value, value.imported_from)
        counts[kind] = counts.get(kind, 0) + 1
    return [
        Entry(
            EntryKind.RELEASE,
            ground.user.tenant_id,
            ground.user.pseudonym,
            {
                "client": client_id,
                "connection": connection,
                "use": use.action.value,
                "recipient": use.recipient.value,
                "purpose": use.purpose.value,
                "clause": decision.clause,
                "policy_version": decision.version,
                "categories": [category],
                "sources": [source],
                "count": count,
            },
        )
        for (category, source, connection), count in sorted(counts.items(), key=str)
    ]
