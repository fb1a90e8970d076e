"""Nobody under 13: learned later, purged everywhere, not imported again, and let in only by a named approver's act."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector import inbox, people, records
from connector.cli import users as command
from connector.flows import children, import_records, post_notices, revoke
from connector.flows.edit_profile import edit_profile
from connector.flows.own_records import put_note
from connector.flows.read_records import read_profile
from connector.flows.standings import ground_of
from connector.inbox import NewItem, post
from connector.model.errors import BadInput, Conflict, NotFound
from connector.model.tags import Age, Purpose
from connector.storage import Store
from connector.storage.schema import metadata
from tests.clock import ManualClock
from tests.journeys.test_disclosures import at_the_desk
from tests.signing_up import Town, make_town

CANARY = "Canary Kidwell 4711"
DAY_MS = 86_400_000


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    return make_town(tmp_path, store, clock)


def full(town: Town, person: str = "ada") -> str:
    """Somebody with values, older copies, notes, a queued import, a letter, and words of their own in the inbox."""
    sub = str(town.sign_up(person)["claims"]["sub"])
    while import_records.step(town.gateway):
        pass
    client = town.house.web
    for name in (CANARY, f"{CANARY} II"):
        edit_profile(town.gateway, client, sub, {"nicknames": {"n": {"name": name}}})
    contact = next(row for row in town.rows("cards") if row["kind"] == "contact" and row["sub"] == sub)
    put_note(town.gateway, client, sub, contact["id"], f"owes me {CANARY}")
    with town.gateway.store.transaction() as tx:
        item = post(tx, town.gateway.vault, NewItem(client.tenant_id, sub, "release", words=(CANARY, [CANARY])))
        inbox.queue_letter(tx, item)
        connection = tx.one("SELECT id FROM connections WHERE sub = :sub", sub=sub)
        assert connection is not None
        records.queue_import(tx, client.tenant_id, connection["id"], "app")
    while post_notices.send_letters(town.gateway):
        pass
    return sub


def trace(town: Town, *words: str) -> dict[str, set[str]]:
    """The tables in which any of the words stands, in clear or as the bytes of something sealed."""
    found: dict[str, set[str]] = {}
    for table in metadata.tables:
        for row in town.rows(table):
            for word in words:
                for value in row.values():
                    raw = value if isinstance(value, bytes) else str(value).encode()
                    if word.encode() in raw:
                        found.setdefault(table, set()).add(word)
    return found


def test_what_is_learned_later_refuses_at_once_and_leaves_nothing_but_keyed_hashes(town: Town) -> None:
    sub = full(town)
    sealed = {
        bytes(value)
        for table in ("records", "consents", "receipts", "inbox_items", "import_cursors")
        for row in town.rows(table)
        for name, value in row.items()
        if name in {"sealed", "record"} and value is not None
    }
    assert len(list((town.house.folder / "mail" / "new").iterdir())) == 1
    children.learned_child(town.gateway, town.house.tenant.id, sub)
    revoke.tell_providers(town.gateway)
    assert town.egress.asked("/revoke")
    left = {
        bytes(value)
        for table in metadata.tables
        for row in town.rows(table)
        for value in row.values()
        if isinstance(value, bytes)
    }
    assert sealed & left == set()
    assert trace(town, CANARY, "Lindqvist", "ada@example.org") == {}
    assert set(trace(town, sub)) == {"users", "receipts", "data_keys", "shred_ledger", "child_accounts"}
    empty = ("records", "cards", "imports", "deliveries", "mails", "inbox_items", "stances", "consents", "identities")
    assert town.how_many(*empty) == dict.fromkeys(empty, 0)
    assert list((town.house.folder / "mail" / "new").iterdir()) == []
    (entry,) = [one for one in town.entries("user_deleted") if one.get("reason") == "under_age"]
    assert entry["keys"] >= 1


def test_a_child_by_the_providers_word_leaves_nothing_at_sign_up_but_a_keyed_hash_and_an_ended_grant(
    town: Town, capfd: pytest.CaptureFixture[str]
) -> None:
    there = town.rehearsal.extensions["rehearsal"].profiles["ada"].fields
    there |= {"name": CANARY, "given_name": CANARY, "born": "2020-02-29"}
    before = town.how_many(*metadata.tables)
    started, query = town.pushed()
    refused = town.redeem(town.to_app(town.browser(), query), started)
    assert (refused.json["code"], refused.json["clause"]) == ("under_age", "1")  # type: ignore[index]
    while revoke.tell_providers(town.gateway):
        pass
    assert len(town.egress.asked("/revoke")) == 1
    after = town.how_many(*metadata.tables)
    more = {table for table, many in after.items() if many > before[table]}
    assert more <= {
        "refused_accounts", "revocations", "ledger_entries", "data_keys", "shred_ledger", "authorizations"
    }  # fmt: skip
    assert trace(town, CANARY) == {}
    assert CANARY not in "".join(capfd.readouterr())
    files = [file for file in town.house.folder.rglob("*") if file.is_file()]
    assert [file.name for file in files if CANARY.encode() in file.read_bytes()] == []


def test_twin_a_purge_that_forgets_a_table_is_seen(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    sub = full(town)
    monkeypatch.setattr(inbox, "forget_person", lambda *_: [])
    children.learned_child(town.gateway, town.house.tenant.id, sub)
    assert "inbox_items" in trace(town, sub)


def test_from_the_very_transaction_on_every_decision_refuses(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    sub = full(town)
    monkeypatch.setattr(children, "delete_user", lambda *_, **_how: None)  # the purge did not come yet
    children.learned_child(town.gateway, town.house.tenant.id, sub)
    view = read_profile(town.gateway, town.house.web, sub, Purpose.SERVICE)
    assert view.shown == ()
    assert {one.clause for one in view.withheld} == {"1"}


def test_who_is_learned_of_by_a_sign_in_or_an_import_is_purged_by_the_worker(town: Town) -> None:
    sub = full(town)
    with town.gateway.store.transaction() as tx:
        user = people.find_user(tx, town.gateway.vault, town.house.tenant.id, sub)
        assert user is not None
        people.set_age(tx, town.gateway.vault, user, Age.CHILD)
    assert children.purge(town.gateway) == 1
    assert trace(town, CANARY) == {}
    assert children.purge(town.gateway) == 0


def refused(town: Town, person: str = "ada") -> str:
    started = town.start()
    answer = town.redeem(town.to_app(town.browser(), started.query, person), started)
    return str((answer.json or {}).get("code", "")) if answer.status_code != 200 else ""


def test_the_account_is_not_imported_again_until_a_named_approver_lets_it_in(town: Town, clock: ManualClock) -> None:
    sub = full(town)
    tenant = town.house.tenant.id
    children.learned_child(town.gateway, tenant, sub)
    revoke.tell_providers(town.gateway)
    assert refused(town) == "under_age"
    with pytest.raises(BadInput):
        children.approve_child(town.gateway, tenant, sub, approver=" ")
    opened = children.approve_child(town.gateway, tenant, sub, approver="Grace Hopper", reference="form 9")
    assert opened == "accounts"
    with pytest.raises(Conflict):
        children.approve_child(town.gateway, tenant, sub, approver="Grace Hopper")
    revoke.tell_providers(town.gateway)
    again = str(town.sign_up("ada")["claims"]["sub"])
    assert again != sub
    with town.gateway.store.read() as tx:
        assert ground_of(town.gateway, tx, tenant, again).user.age is Age.CHILD_PARENT_OK
    while import_records.step(town.gateway):
        pass
    kept = [row["expires_at"] for row in town.rows("records") if row["sub"] == again]
    assert kept
    assert max(kept) <= clock.now() + 365 * DAY_MS
    assert town.rows("child_accounts")[0]["approval"] is not None
    assert trace(town, "Grace Hopper") == {}, "who approved is sealed"


def test_an_approval_that_a_writer_to_the_database_made_up_lets_nobody_in(town: Town) -> None:
    sub, other = full(town), full(town, "bo")
    children.learned_child(town.gateway, town.house.tenant.id, sub)
    revoke.tell_providers(town.gateway)
    with town.gateway.store.transaction() as tx:
        tx.run("UPDATE child_accounts SET approved_at = 1, approval = seal, key_epoch = 1")
        vault = town.gateway.vault
        marked = people.find_user(tx, vault, town.house.tenant.id, other)
        assert marked is not None
        people.set_age(tx, vault, marked, Age.CHILD_PARENT_OK)  # as if the row's own seal were no hindrance
    assert refused(town) == "under_age"
    assert read_profile(town.gateway, town.house.web, other, Purpose.SERVICE).shown == ()


def test_twin_without_the_seal_the_made_up_approval_lets_them_in(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    sub = full(town)
    children.learned_child(town.gateway, town.house.tenant.id, sub)
    revoke.tell_providers(town.gateway)
    monkeypatch.setattr(people.children, "_is_whole", lambda *_: True)
    monkeypatch.setattr(people.children, "_opened", lambda *_: b"{}")
    with town.gateway.store.transaction() as tx:
        tx.run("UPDATE child_accounts SET approved_at = 1")
    assert refused(town) == ""


def test_approving_an_account_that_is_there_limits_how_long_everything_is_kept(town: Town, clock: ManualClock) -> None:
    sub = full(town)
    assert children.approve_child(town.gateway, town.house.tenant.id, sub, approver="Grace Hopper") == "user"
    limit = clock.now() + 365 * DAY_MS
    assert all(row["expires_at"] is not None and row["expires_at"] <= limit for row in town.rows("records"))
    assert read_profile(town.gateway, town.house.web, sub, Purpose.SERVICE).shown
    edit_profile(town.gateway, town.house.web, sub, {"nicknames": {"n": {"name": "later"}}})
    assert all(row["expires_at"] <= limit for row in town.rows("records"))


def test_what_is_kept_of_a_childs_account_goes_when_its_time_is_over(town: Town, clock: ManualClock) -> None:
    sub = full(town)
    children.learned_child(town.gateway, town.house.tenant.id, sub)
    kept = ("child_accounts", "refused_accounts")
    clock.advance(hours=24 * 4_748)
    assert children.forget(town.gateway) == 0
    assert town.how_many(*kept) == dict.fromkeys(kept, 1)
    clock.advance(hours=48)
    assert children.forget(town.gateway) == 2
    assert town.how_many(*kept) == dict.fromkeys(kept, 0)


def test_nobody_of_another_tenant_is_learned_of_or_approved(town: Town) -> None:
    sub = full(town)
    for act in (
        lambda: children.learned_child(town.gateway, town.house.other_tenant.id, sub),
        lambda: children.approve_child(town.gateway, town.house.other_tenant.id, sub, approver="Grace Hopper"),
    ):
        with pytest.raises(NotFound):
            act()


def test_the_commands_do_it_and_say_what_was_opened(town: Town, run_here: Callable[..., Any]) -> None:
    sub = full(town)
    done = run_here(command.users, "approve-child", sub, "--approver", "Grace Hopper", "--json")
    assert json.loads(done.stdout) == {"user": sub, "opened": "user"}
    done = run_here(command.users, "learned-child", sub, "--json")
    assert json.loads(done.stdout)["deleted"] is True
    done = run_here(command.users, "approve-child", sub, "--approver", "Grace Hopper", "--json")
    assert json.loads(done.stdout)["opened"] == "accounts"


@pytest.fixture
def run_here(town: Town, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command over this town's gateway, in this process."""
    return at_the_desk(town, monkeypatch)
