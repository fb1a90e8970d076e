"""Notices into inboxes, and copies of them by mail. Two steps of the worker.

Mail is a copy and never the notice itself: who opted out of mail has it in the inbox all the same, and the time to
object runs from there. A letter's address is read, decided on and entered in the ledger at the moment it is sent.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from connector import inbox, records, work
from connector.egress.mail import Letter, MailFailure, MailFolder, MailServer, Post
from connector.flows.gateway import Gateway
from connector.flows.opting_out import opt_out_link
from connector.flows.provider_terms import terms_of
from connector.flows.release import release
from connector.flows.stances import said_toward
from connector.flows.standings import Ground, careful, ground_of, standing_of_value
from connector.inbox import Item, Toward
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.model.errors import NotFound
from connector.model.tags import Choice, Use
from connector.policy import OWN, Decision
from connector.records import SealedValue, open_value
from connector.storage import Transaction
from connector.work import Claimed
from providers.secret import Secret
from vault import VaultError

BATCH = 200  # people told in one transaction
LETTERS = 20
LEASE_MS = 120_000
MAX_ATTEMPTS = 12
KEPT_MS = 30 * 24 * 3600 * 1000
_WRITE = Use.of("use", "us", "contact")

_log = structlog.get_logger("notices")
_draw = random.SystemRandom().random


def spread(gateway: Gateway, *, newcomers: bool = False) -> int:
    """Post what was announced to the next people; how many got something. Newcomers: who came after it was said."""
    with gateway.store.read() as tx:
        waiting = inbox.unspread(tx, gateway.vault, newcomers=newcomers)
    told = 0
    for notice in waiting:
        with gateway.store.transaction() as tx:
            many = inbox.post_to_some(tx, gateway.vault, notice, limit=BATCH)
            if many:
                facts: dict[str, Any] = {"notice": notice.id, "about": notice.kind, "count": many}
                append(tx, Entry(EntryKind.NOTICE_POSTED, notice.tenant_id, None, facts))
        told += many
    return told


def send_letters(gateway: Gateway) -> int:
    """One round of letters that are due; how many were worked on."""
    with gateway.store.transaction() as tx:
        claimed = work.claim(tx, "mails", gateway.worker_id, LETTERS, LEASE_MS)
    post = post_of(gateway) if claimed else None
    for one in claimed:
        _send(gateway, one, post)
    return len(claimed)


def forget_letters(gateway: Gateway) -> int:
    """Letters that were sent are forgotten after a month, and so are their files; how many."""
    with gateway.store.transaction() as tx:
        gone = inbox.forget_letter(tx, before=tx.now() - KEPT_MS, limit=BATCH)
    drop_files(gateway, gone)
    return len(gone)


def drop_files(gateway: Gateway, letters: list[str]) -> None:
    """Delete what lies in the mail folder of these letters."""
    post = post_of(gateway) if letters else None
    if post is not None:
        post.forget(letters)


def post_of(gateway: Gateway) -> Post | None:
    """Where letters go: the server, else the folder; None where there is neither."""
    smtp = gateway.settings.smtp
    if smtp.host is not None and smtp.sender is not None:
        password = None if smtp.password is None else Secret(smtp.password)
        return MailServer(smtp.host, smtp.port, smtp.sender, smtp.tls, smtp.user, password, smtp.ca)
    kind, _, rest = gateway.settings.vault.kek.partition(":")
    beside = Path(rest).parent / "mail" if kind == "file" else None
    folder = smtp.directory or beside
    return None if folder is None else MailFolder(folder, smtp.sender or "notices@localhost")


def _send(gateway: Gateway, claimed: Claimed, post: Post | None) -> None:
    try:
        made = _written(gateway, claimed)
    except (NotFound, VaultError) as problem:
        _settle(gateway, claimed, "void", type(problem).__name__.lower())
        return
    if isinstance(made, str):
        _settle(gateway, claimed, "refused" if made != "no_address" else "void", made)
        return
    if post is None:
        _settle(gateway, claimed, "void", "no_transport")
        return
    try:
        post.send(made)
    except MailFailure as failure:
        _after_failure(gateway, claimed, failure)
    else:
        _settle(gateway, claimed, "done", None)


def _written(gateway: Gateway, claimed: Claimed) -> Letter | str:
    """The letter, its address released for this one use; or why there is none, as a word.

    Raises:
        NotFound: the person or the notice is gone. VaultError: the words do not open.
    """
    with gateway.store.transaction() as tx:
        queued = inbox.letter(tx, claimed.id)
        item = None if queued is None else inbox.find_item(tx, gateway.vault, queued.item_id)
        if item is None:
            raise NotFound("notice")
        ground = ground_of(gateway, tx, item.tenant_id, item.sub)
        found = _address_of(gateway, tx, ground)
        if found is None:
            return "no_address"
        stored, decision = found
        if not decision.allowed:
            return decision.rule_id
        key = gateway.vault.key(tx, stored.owner, stored.key_epoch)
        value = release(
            decision, record=lambda: _enter(tx, ground, stored, decision), opened=lambda: open_value(key, stored)
        )
        title, paragraphs = inbox.words_of(tx, gateway.vault, item)
        return _letter(gateway, tx, claimed.id, item, str(value["address"]), (title, paragraphs))


def _address_of(gateway: Gateway, tx: Transaction, ground: Ground) -> tuple[SealedValue, Decision] | None:
    """The e-mail address to write to: one that the person typed in, else an imported one; with the decision on it."""
    user = ground.user
    cards = records.of_person(tx, user.tenant_id, user.sub, kind="self")
    held = [
        value
        for value in records.of_cards(tx, [card.id for card in cards])
        if value.pointer.startswith("/emails/") and value.tags.revision.value == "current"
    ]
    decided = [(value, _decision(gateway, tx, ground, value)) for value in sorted(held, key=_order)]
    allowed = [pair for pair in decided if pair[1].allowed]
    return next(iter(allowed or decided), None)


def _order(value: SealedValue) -> tuple[bool, int, str]:
    return value.imported_from is not None, value.collected_at, value.id


def _decision(gateway: Gateway, tx: Transaction, ground: Ground, value: SealedValue) -> Decision:
    """The preference about mail bears on it, and the choice about the import that the address came by."""
    user = ground.user
    said = said_toward(gateway, tx, user.tenant_id, user.sub, Toward.MAIL)
    standing = standing_of_value(ground, _WRITE, value)
    standing = replace(standing, choice=Choice.WITHDRAWN if said == "no" else standing.choice)
    source = ground.connections.get(value.imported_from or "")
    terms = OWN if source is None else terms_of(gateway.policy, source, value.tags.category)
    return gateway.policy.decide(_WRITE, careful(value.tags, user), standing, ground.at, user.last_visit_at, terms)


def _enter(tx: Transaction, ground: Ground, stored: SealedValue, decision: Decision) -> None:
    facts: dict[str, Any] = {
        "use": "use",
        "recipient": "us",
        "purpose": "contact",
        "clause": decision.clause,
        "policy_version": decision.version,
        "connection": stored.imported_from,
        "categories": [stored.tags.category.value],
        "sources": [stored.tags.source.value],
        "count": 1,
    }
    append(tx, Entry(EntryKind.RELEASE, ground.user.tenant_id, ground.user.pseudonym, facts))


def _letter(  # noqa: PLR0917  what a letter is made of
    gateway: Gateway, tx: Transaction, letter_id: str, item: Item, to: str, words: tuple[str, tuple[str, ...]]
) -> Letter:
    controller = gateway.settings.policy.controller
    opt_out = opt_out_link(gateway, tx, item)
    lines = [
        *words[1],
        "This lies in your inbox on your own pages, too; what you can do about it is there. Open them from the app.",
        f"No more mail from us: {opt_out}\nNotices that we owe you will still lie in your inbox.",
        f"{controller.name}, {controller.postal_address}. Questions: {controller.contact}",
    ]
    return Letter(letter_id, to, words[0], "\n\n".join(lines) + "\n", opt_out, tx.now())


def _after_failure(gateway: Gateway, claimed: Claimed, failure: MailFailure) -> None:
    _log.warning("mail.failed", letter=claimed.id, code=failure.code, attempt=claimed.attempts)
    if not failure.again or claimed.attempts >= MAX_ATTEMPTS:
        _settle(gateway, claimed, "dead", failure.code)
        return
    with gateway.store.transaction() as tx:
        wait = work.backoff_ms(claimed.attempts, _draw)
        work.retry(tx, "mails", claimed.id, claimed.fence, wait, error=failure.code)


def _settle(gateway: Gateway, claimed: Claimed, state: str, error: str | None) -> None:
    with gateway.store.transaction() as tx:
        work.settle(tx, "mails", claimed.id, claimed.fence, state, error=error, finished_at=tx.now())
