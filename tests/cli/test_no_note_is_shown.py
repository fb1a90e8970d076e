"""Clause 2b: no command of the operator shows what a person wrote for themselves, but two that somebody answers for."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator

import click
import pytest

from connector.cli import main
from connector.flows.own_records import put_note
from tests.agreed import agree, imported
from tests.cli.conftest import Desk
from tests.connected import Linked

NOTE = "canary-note-owes-me-forty"
# What looks, with what it needs to be told. SUB and CON stand for the person and their connection.
LOOKING = (
    "tenants list",
    "clients list",
    "integrations list",
    "providers list",
    "connections list",
    "connections show CON",
    "policy check",
    "policy flows",
    "policy explain",
    "policy explain --user SUB",
    "policy export --cedar",
    "disclosures list --user SUB",
    "disclosures erasures",
    "reports usage --tenant shop",
    "vault status",
    "vault verify",
    "ledger show",
    "ledger show --user SUB",
    "ledger show --open",
    "ledger verify",
    "ledger checkpoint",
    "deliveries list",
    "deliveries dead-letters",
    "database status",
    "doctor",
)
# The owner's own copy, and what a named person releases under clause 3d: both write a file and enter the ledger first.
ANSWERED_FOR = {"users export", "disclosures release"}
# These print nothing of people: they begin, end, add, remove, move or check a file.
NOT_LOOKING = {
    "init", "serve", "worker", "rehearsal", "demo", "tenants add", "clients add", "clients remove",
    "clients rotate-secret", "integrations add", "integrations remove", "integrations set-secret",
    "integrations show", "providers show", "connections adopt", "connections revoke", "policy announce", "policy diff",
    "users approve-child", "users delete", "users learned-child", "disclosures announce", "disclosures told",
    "vault backup", "vault restore", "vault rotate", "vault seal", "receipts verify", "deliveries retry",
    "database copy", "database upgrade",
}  # fmt: skip


def leaves(group: click.Group, *before: str) -> Iterator[str]:
    for name in group.list_commands(None):  # type: ignore[arg-type]  # ours need no context
        command = group.get_command(None, name)  # type: ignore[arg-type]
        if isinstance(command, click.Group):
            yield from leaves(command, *before, name)
        else:
            yield " ".join((*before, name))


def named(line: str) -> str:
    known = set(leaves(main))
    words = line.split()
    return next(" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in known)


def test_every_command_is_sorted() -> None:
    assert {named(line) for line in LOOKING} | ANSWERED_FOR | NOT_LOOKING == set(leaves(main))


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_clause_2b_no_command_that_looks_shows_a_note_or_whom_it_is_about(town: Linked, desk: Desk) -> None:
    agree(town, "import", "profile", "contacts")
    imported(town)
    connection = town.connection()
    with town.store.read() as tx:
        contact = tx.one("SELECT id FROM cards WHERE kind = 'contact' ORDER BY id LIMIT 1")
    assert contact is not None
    put_note(town.gateway, town.house.web, connection.sub, contact["id"], NOTE)
    shown = {}
    for line in LOOKING:
        words = [{"SUB": connection.sub, "CON": connection.id}.get(word, word) for word in line.split()]
        done = desk.run(*words)
        shown[line] = done.output
        assert done.exit_code in {0, 1}, (line, done.output)
    everything = json.dumps(shown)
    assert len(everything) > 10_000
    for canary in (NOTE, "owes", "Lindqvist", "ada@example.org"):
        assert [line for line, text in shown.items() if canary in text] == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_twin_the_owners_own_copy_has_the_note(town: Linked, desk: Desk) -> None:
    agree(town, "import", "profile", "contacts")
    imported(town)
    connection = town.connection()
    with town.store.read() as tx:
        contact = tx.one("SELECT id FROM cards WHERE kind = 'contact' ORDER BY id LIMIT 1")
    assert contact is not None
    put_note(town.gateway, town.house.web, connection.sub, contact["id"], NOTE)
    done = desk.run("users", "export", connection.sub, str(desk.folder / "copy"))
    assert done.exit_code == 0, done.output
    assert NOTE not in done.output
    (copy,) = (desk.folder / "copy").glob("*.zip")
    with zipfile.ZipFile(copy) as exported:
        assert any(NOTE.encode() in exported.read(name) for name in exported.namelist())
