"""Whatever is sealed is tried, and each kind of damage is told apart from the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector import inbox, people
from connector.clients import Kept, begin_request, keep_answer
from connector.connections import Adoption, note_adoption
from connector.flows import evidence
from connector.flows.verify_vault import PLACES, verify_vault
from connector.ledger.receipts import keep
from connector.model.ids import new_id
from connector.model.tags import Age, Tags
from connector.people import NewLink, consume_link, make_link
from connector.records.cursors import keep_cursor
from connector.records.values import NewValue, Origin, insert, sealed_row
from connector.tokens import TokenOwner, put_orphan
from providers.secret import Secret
from tests.signing_up import Town
from vault import Owner
from vault.verification import Report


def fill_inbox(tx: Any, vault: Any, tenant: str, sub: str) -> None:
    """A notice, words for one person, a no, a release and an approved child's account."""
    announced = inbox.announce(tx, vault, tenant, inbox.Announcement("policy", "2030", "Title", ["Words."]))
    assert inbox.post_to_some(tx, vault, announced, limit=10) == 1
    inbox.post(tx, vault, inbox.NewItem(tenant, sub, "release", words=("Title", ["Words."])))
    inbox.take(tx, vault, tenant, sub, inbox.Toward.MAIL, "", "no", by="subject")
    ground = {"approver": "A", "reason": "B", "reference": "C"}
    new = inbox.NewRelease(new_id("rel"), tenant, sub, "authority", "court", "protect", ["name"], 1, ground)
    inbox.keep_release(tx, vault, new)
    user = people.find_user(tx, vault, tenant, sub)
    assert user is not None
    people.approve_user(tx, vault, user, ground, kept_ms=1)
    people.set_age(tx, vault, user, Age.OK)


@pytest.fixture
def full(town: Town) -> Town:
    """A database in which every place holds something."""
    signed_up = town.sign_up("ada")
    connection = town.rows("connections")[0]
    tenant, sub, vault = connection["tenant_id"], signed_up["claims"]["sub"], town.gateway.vault
    with town.gateway.store.transaction() as tx:
        client = town.house.web
        link = make_link(tx, vault, NewLink(tenant, client.id, sub, client.return_uris[0]))
        consume_link(tx, vault, link)
        value = NewValue("/name/full", "Ada", Tags.credential(Age.OK), Origin("2026-01"))
        insert(tx, [sealed_row(vault.key(tx, Owner(tenant, "user", sub)), sub, new_id("crd"), value, 1, tx.now())])
        keep_cursor(tx, vault.key(tx, Owner(tenant, "connection_data", connection["id"])), "contacts", "sync", "next")
        whose = TokenOwner(tenant, connection["id"], connection["provider"])
        put_orphan(
            tx,
            vault.key(tx, whose.owner),
            whose,
            access=Secret("a"),
            refresh=Secret("r"),
            generation=2,
            reason="lost_claim",
        )
        assert begin_request(tx, vault, client, "key-1", b"POST /v1") is None
        keep_answer(tx, vault, client, "key-1", Kept(200, b"{}"))
        fill_inbox(tx, vault, tenant, sub)
        note_adoption(
            tx,
            vault,
            Adoption(connection["id"], tenant, None, verified=True, generation=1, obtained_at=None, adopted_at=1),
        )
        key, receipt = vault.key(tx, Owner(tenant, "user", sub)), new_id("rcp")
        keep(
            tx,
            id=receipt,
            tenant_id=tenant,
            sub=sub,
            kind="revocation",
            about="rvk_1",
            version=1,
            status="final",
            ledger_entry_id=1,
            sealed=key.seal(evidence._address(tenant, sub, receipt), b"{}", generation=1),
            key_epoch=key.epoch,
        )
    town.page(town.browser(), town.start().query)  # a flow under way
    return town


def report_of(town: Town, **how: Any) -> Report:
    gateway = town.gateway
    return verify_vault(gateway.store, gateway.vault, gateway.clock, **how)


def test_every_place_holds_something_and_all_of_it_opens(full: Town) -> None:
    report = report_of(full)
    assert report.problems == {}
    assert {place.name for place in PLACES} - set(report.checked) == set()


DAMAGE: dict[str, tuple[str, str, str]] = {
    # what was done: the statement, where it is found, and as what
    "a token moved to another epoch": (
        "UPDATE connection_tokens SET access = :header4 || substr(access, 9)",
        "connection_tokens.access",
        "epoch",
    ),
    "a token's last byte": ("UPDATE connection_tokens SET refresh = {last}", "connection_tokens.refresh", "tag"),
    "a token of another generation": (
        "UPDATE connections SET generation = generation + 1",
        "connection_tokens.access",
        "generation",
    ),
    "a row widened": ("UPDATE connections SET granted_scopes = '[\"all\"]'", "connections", "row_seal"),
    "a redirect URI added": ("UPDATE clients SET redirect_uris = '[\"https://evil.example/\"]'", "clients", "row_seal"),
    "a person's key destroyed behind the vault's back": (
        "UPDATE data_keys SET wrapped = NULL WHERE owner_kind = 'user'",
        "receipts",
        "key_destroyed",
    ),
    "a key's row lost": ("DELETE FROM data_keys WHERE owner_kind = 'user'", "consents.record", "key_unknown"),
    "a blob that never was a record": ("UPDATE consents SET record = :junk", "consents.record", "format"),
    "an answer kept for another status": (
        "UPDATE idempotency_keys SET status = 201",
        "idempotency_keys.answer",
        "generation",
    ),
    "a child made an adult": ("UPDATE users SET age = 'child'", "users", "row_seal"),
    "an event of a choice rewritten": ("UPDATE consent_events SET at = at - 1", "consent_events", "row_seal"),
    "the newest events of a choice cut off": ("DELETE FROM consent_events", "consent_events", "row_seal"),
    "a confirmation made up": ("UPDATE adoptions SET confirmed_at = 1", "adoptions", "row_seal"),
    "tags made up": ("UPDATE records SET tags = 'anything'", "records", "unreadable"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_each_damage_is_found_where_it_is_and_called_by_its_name(full: Town, damage: str) -> None:
    statement, place, kind = DAMAGE[damage]
    with full.gateway.store.transaction() as tx:
        refresh = bytes((tx.one("SELECT refresh FROM connection_tokens") or {})["refresh"])
        access = bytes((tx.one("SELECT access FROM connection_tokens") or {})["access"])
        given = {
            ":header4 || substr(access, 9)": access[:4] + b"\0\0\0\x09" + access[8:],
            "{last}": refresh[:-1] + bytes([refresh[-1] ^ 1]),
            ":junk": b"junk" * 40,
        }
        for written, value in given.items():
            if written in statement:
                tx.run(statement.replace(written, ":value"), value=value)
                break
        else:
            tx.run(statement)
    report = report_of(full)
    assert report.problems[place][kind] >= 1, report.problems
    assert (report.broken == 0) == (kind == "key_destroyed")


def test_a_record_sealed_under_another_key_is_told_from_an_altered_one(full: Town) -> None:
    with full.gateway.store.transaction() as tx:
        vault = full.gateway.vault
        connection = full.rows("connections")[0]
        other = vault.create_key(tx, Owner(connection["tenant_id"], "connection_tokens", "con_other"))
        whose = TokenOwner(connection["tenant_id"], "con_other", connection["provider"])
        blob = other.seal(whose.address("connection_tokens.access"), b"token", generation=1)
        tx.run("UPDATE connection_tokens SET access = :blob", blob=blob)
    assert report_of(full).problems == {"connection_tokens.access": {"commitment": 1}}


def test_a_row_that_changes_while_it_is_tried_is_no_damage(full: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    from vault import verification  # noqa: PLC0415  only here

    real: Callable[..., Any] = verification._error
    looked: list[str] = []

    def once(keys: Any, place: Any, row: Any) -> Any:
        looked.append(place.name)
        return ValueError("as it was read") if looked.count("connections") == 1 else real(keys, place, row)

    monkeypatch.setattr(verification, "_error", once)
    assert report_of(full).broken == 0


def test_it_goes_no_faster_than_it_is_told(full: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    from vault import verification  # noqa: PLC0415  only here

    monkeypatch.setattr(verification, "BATCH", 1)
    clock = full.gateway.clock
    began = clock.monotonic()
    report = report_of(full, per_second=10)
    assert clock.monotonic() - began >= (report.checked.total() - len(PLACES)) / 10


def test_progress_tells_how_much_is_done_of_all(full: Town) -> None:
    heard: list[tuple[str, int, int]] = []
    report = report_of(full, tell=lambda *one: heard.append(one))
    assert heard[-1][1:] == (report.checked.total(), report.checked.total())
