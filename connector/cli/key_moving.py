"""From one key source to another: what `connector vault rotate --to SOURCE` asks for, and what is no longer needed."""

from __future__ import annotations

from collections.abc import Iterator

from connector import app
from connector.cli.session import Session
from connector.model.errors import BadInput
from connector.settings import Settings
from connector.storage import Store
from vault import KEY_SOURCES, KeySource
from vault.inventory import inventory


def goal_of(session: Session, source: KeySource, to: str | None) -> str | None:
    """The KEK that is to wrap: its id or name, or None for the next of the source that wraps now.

    Raises:
        BadInput: a source is named that the settings do not let wrap yet, or one whose keys have no numbers.
    """
    kek = session.settings.vault.kek
    if to is None:
        return _under_the_only_key(session, source) if kek.startswith("aws-kms:") else None
    if to.partition(":")[0] not in KEY_SOURCES:
        return to
    named = next((spec for spec in session.settings.vault.sources() if _same(spec, to)), None)
    if named is None:
        raise BadInput(
            "source_not_configured",
            f'Let every process open it first: set vault.also_opens = ["{to}"], restart them, and run this again.',
        )
    if named != kek:
        raise BadInput(
            "source_only_opens",
            f'Let it wrap first: set vault.kek = "{named}" and vault.also_opens = ["{kek}"], restart every process, '
            "and run this again. (Where not every process opens it yet, restart those first.)",
        )
    return source.key_id()


def unneeded(settings: Settings, store: Store) -> Iterator[str]:
    """Sources under vault.also_opens that no key in use needs any more. Raises Misconfigured."""
    if not settings.vault.also_opens:
        return
    with store.read() as tx:
        used = inventory(tx).tenant_keys.keys()
    for spec in settings.vault.also_opens:
        if not app.key_source(settings, only=spec).key_ids() & used:
            yield spec


def _under_the_only_key(session: Session, source: KeySource) -> str:
    key_id = source.key_id()
    with session.store.read() as tx:
        behind = inventory(tx).tenant_keys.keys() - {key_id}
    if not behind:
        raise BadInput(
            "key_turns_by_itself",
            "AWS turns the material of a key by itself (switch that on there), and everything lies under this key. "
            "To another key: connector vault rotate --to aws-kms:ARN",
        )
    return key_id


def _same(spec: str, to: str) -> bool:
    """Whether both name one source; the settings have paths made absolute."""
    kind, _, path = to.partition(":")
    return spec == to or (kind == "file" and spec.startswith("file:") and spec.endswith(f"/{path}"))
