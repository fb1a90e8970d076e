"""Telling everybody, before something of theirs goes outside, and giving them time to prevent it (clauses 3c, 3e)."""

from __future__ import annotations

from collections.abc import Sequence

from connector import inbox
from connector.flows.gateway import Gateway
from connector.flows.outside_requests import outsider_of
from connector.inbox import Announcement, Notice
from connector.model.errors import BadInput, Conflict

_MS = 1000


def announce_outside(  # noqa: PLR0917  to whom, and in which words
    gateway: Gateway,
    tenant_id: str,
    to: tuple[str, str],
    title: str,
    paragraphs: Sequence[str],
    effective_at: int,
) -> Notice:
    """Say it; the worker posts it. Everybody's time runs from the moment it lies in their inbox.

    Raises:
        BadInput: nobody needs a notice before that, or the affiliate is not in the settings.
        Conflict: it was announced already, in other words.
    """
    recipient, name = to
    windows = gateway.settings.policy.notice_windows
    if recipient == "affiliate" and outsider_of(gateway, recipient, name) is not None:
        kind, window = "sharing", windows.sharing
    elif recipient == "acquirer":
        kind, window = "transfer", windows.transfer
    else:
        raise BadInput("no_notice", "Announce an affiliate that the settings name, or an acquirer.")
    new = Announcement(
        "sharing" if kind == "sharing" else "transfer",
        name,
        title,
        paragraphs,
        int(window.total_seconds() * _MS),
        effective_at,
    )
    with gateway.store.transaction() as tx:
        made = inbox.announce(tx, gateway.vault, tenant_id, new)
        tx.after_commit(gateway.wakeup.notify)
    if (made.title, list(made.paragraphs)) != (title, list(paragraphs)):
        raise Conflict("announced_already", f"{recipient}:{name} was announced already, in other words; they stand.")
    return made
