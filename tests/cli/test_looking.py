"""Commands that look: providers, policy, connections, deliveries, database, vault, ledger, users."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile

import pytest

from connector import connections as rooms
from connector.clients import published_keys
from connector.flows import evidence, revoke
from connector.model.states import Ended
from connector.records.deliveries import queue_delivery
from connector.settings import shipped
from providers import catalogue
from tests.cli.conftest import run

FACTS = {
    "name",
    "protocol",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "scope_separator",
    "pkce",
    "refresh",
    "capabilities",
    "verified_on",
    "source",
}

# Providers and policy -----------------------------------------------------------------------------------


def test_providers_are_listed_without_any_settings():
    listed = json.loads(run("providers", "list", "--json").stdout)
    assert [one["name"] for one in listed] == list(catalogue.names())
    assert all(one.keys() >= FACTS for one in listed)


def test_a_provider_says_in_words_what_it_lacks():
    assert json.loads(run("providers", "show", "facebook", "--json").stdout)["name"] == "facebook"
    assert catalogue.entry("google").lacks["write_back"] in " ".join(run("providers", "show", "google").stdout.split())


def test_a_provider_that_is_none_is_told_with_the_nearest():
    done = run("providers", "show", "myspace")
    assert (done.exit_code, "connector providers list" in done.stderr) == (1, True)
    assert "did you mean facebook" in run("providers", "show", "facebok").stderr


def test_providers_are_found_by_name_by_what_they_can_and_by_sector():
    names = [one["name"] for one in json.loads(run("providers", "list", "git", "--json").stdout)]
    assert "github" in names
    assert "google" not in names
    writers = json.loads(run("providers", "list", "--can", "write_back", "--can", "signals", "--json").stdout)
    assert {"facebook", "rehearsal"} <= {one["name"] for one in writers} <= set(catalogue.names()) - {"google"}
    assert {one["sector"] for one in json.loads(run("providers", "list", "--sector", "social", "--json").stdout)} == {
        "social"
    }
    assert "None is like that." in run("providers", "list", "nobody-at-all").stdout


def test_the_shipped_policy_is_proven():
    report = json.loads(run("policy", "check", "--json").stdout)
    keys = ("version", "combinations", "allowed", "flows_possible", "invariants", "violations", "seconds")
    assert set(keys) <= report.keys()
    assert (report["violations"], report["combinations"] > 1_000_000) == ([], True)
    assert "Every promise holds" in run("policy", "check").stdout


def test_a_policy_that_breaks_a_promise_fails_and_says_which(tmp_path):
    folder = tmp_path / "policy"
    shutil.copytree(shipped("policy"), folder)
    file = next(folder.glob("*/policy.toml"))
    file.write_text(file.read_text().replace('effect = "deny"', 'effect = "allow"'))
    done = run("policy", "check", "--directory", str(folder), "--json")
    assert done.exit_code == 1
    assert {"promise", "clause", "cell"} <= json.loads(done.stdout)["violations"][0].keys()


def test_what_can_happen_is_listed_with_its_clauses():
    listed = json.loads(run("policy", "flows", "--json").stdout)
    assert {"action", "recipient", "purpose", "meaning", "categories", "clauses"} == set(listed[0])
    assert not [one for one in listed if one["purpose"] == "sell"]


# Connections --------------------------------------------------------------------------------------------


def test_connections_are_listed_and_filtered(desk, town):
    listed = desk.json("connections", "list")
    assert [one["id"] for one in listed] == [town.connection_id]
    assert desk.json("connections", "list", "--state", "revoked") == []
    assert desk.json("connections", "list", "--provider", "google") == []
    assert desk.json("connections", "list", "--user", listed[0]["user"]) == listed
    assert desk.json("connections", "list", "--tenant", "rival") == []
    assert "There is no such connection." in desk.run("connections", "list", "--tenant", "rival").stdout


def test_a_connection_is_shown_without_its_tokens(desk, town):
    shown = desk.json("connections", "show", town.connection_id)
    assert (shown["state"], shown["granted_scopes"][0]) == ("active", "openid")
    held = town.held_grant()
    for words in ((), ("--json",)):
        output = desk.run("connections", "show", town.connection_id, *words).output
        assert held.access_token.reveal() not in output
        assert held.refresh_token.reveal() not in output


def test_a_connection_that_is_none_is_not_found(desk):
    assert desk.run("connections", "show", "con_nobody").exit_code == 1


def test_one_connection_is_revoked_by_its_id(desk, town):
    (done,) = desk.json("connections", "revoke", town.connection_id)
    assert done["connection"] == town.connection_id
    assert town.connection().ended_by == "operator"
    assert desk.json("connections", "revoke", town.connection_id)[0]["revocation"] == done["revocation"]


def test_all_of_a_provider_are_revoked_at_once(desk, town):
    other = town.connect("bo")
    done = desk.json("connections", "revoke", "--provider", "rehearsal", "--all")
    assert {one["connection"] for one in done} == {town.connection_id, other}
    assert desk.json("connections", "revoke", "--provider", "rehearsal", "--all") == []


def test_only_those_authorized_since_then_are_revoked(desk, town, clock):
    clock.advance(days=2)
    other = town.connect("bo")
    done = desk.json("connections", "revoke", "--provider", "rehearsal", "--since", "2026-01-02T00:00:00Z")
    assert [one["connection"] for one in done] == [other]
    assert not town.connection().ended


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("con_a", "--provider", "rehearsal"),
        ("con_a", "--all"),
        ("--provider", "rehearsal"),
        ("--provider", "rehearsal", "--all", "--since", "2h"),
        ("--provider", "rehearsal", "--since", "lately"),
    ],
)
def test_a_vague_revocation_is_a_misuse_and_revokes_nothing(desk, town, words):
    assert desk.run("connections", "revoke", *words).exit_code == 2
    assert not town.connection().ended


# Deliveries ---------------------------------------------------------------------------------------------


@pytest.fixture
def delivery(town):
    connection = town.connection()
    with town.store.transaction() as tx:
        return queue_delivery(tx, connection.tenant_id, connection.sub, connection.id, "phones", ["/phones/p1"]).id


def ended(town, delivery: str, state: str) -> None:
    with town.store.transaction() as tx:
        tx.run("UPDATE deliveries SET state = :state, finished_at = 1 WHERE id = :id", state=state, id=delivery)


def test_deliveries_are_listed_by_state(desk, delivery):
    assert [one["id"] for one in desk.json("deliveries", "list")] == [delivery]
    assert desk.json("deliveries", "list", "--state", "done") == []
    assert desk.json("deliveries", "dead-letters") == []
    assert "/phones" not in desk.run("deliveries", "list").stdout


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"result": "void", "reason": "switched_off", "clause": "3a"}, "void, switched_off, clause 3a"),
        ({"result": "refused", "reason": "Refused by clause 3a: No.", "clause": "3a"}, "Refused by clause 3a: No."),
        ({"result": "gave_up", "reason": "provider_down"}, "gave_up, provider_down"),
    ],
)
def test_how_a_delivery_ended_is_said_with_its_reason_and_its_clause_once(desk, town, delivery, outcome, words):
    with town.store.transaction() as tx:
        tx.run("UPDATE deliveries SET outcome = :outcome WHERE id = :id", outcome=json.dumps(outcome), id=delivery)
    shown = " ".join(desk.run("deliveries", "list").stdout.split())
    assert words in shown
    assert shown.count("clause") <= 1


def test_a_dead_delivery_is_listed_and_tried_again(desk, town, delivery):
    ended(town, delivery, "dead")
    assert [one["id"] for one in desk.json("deliveries", "dead-letters", "--tenant", "shop")] == [delivery]
    assert desk.json("deliveries", "retry", delivery)["state"] == "queued"
    assert desk.json("deliveries", "dead-letters") == []


@pytest.mark.parametrize("state", ["queued", "done", "refused", "void"])
def test_a_delivery_that_is_not_dead_is_not_tried_again(desk, town, delivery, state):
    ended(town, delivery, state)
    done = desk.run("deliveries", "retry", delivery)
    assert (done.exit_code, "can be tried again" in done.stderr) == (1, True)


def test_a_delivery_that_is_none_is_not_found(desk):
    assert desk.run("deliveries", "retry", "dlv_nobody").exit_code == 1


# Database, vault, ledger --------------------------------------------------------------------------------


def test_the_database_says_where_it_stands(desk, town):
    status = desk.json("database", "status")
    assert (status["state"], status["dialect"]) == ("current", town.store.dialect)
    assert desk.json("database", "upgrade")["changed"] is False


def test_an_empty_database_fails_the_status_until_it_is_upgraded(desk):
    desk.config.write_text('[server]\nmode = "development"\n[database]\nurl = "sqlite:///empty.db"\n')
    assert desk.json("database", "status", exit_code=1)["state"] == "empty"
    assert desk.json("database", "upgrade")["changed"] is True
    assert desk.json("database", "status")["state"] == "current"


def test_a_database_that_cannot_be_reached_is_a_sentence(desk):
    desk.config.write_text(
        '[server]\nmode = "development"\n[database]\nurl = "postgresql+psycopg://x:hidden@/x?host=/nowhere"\n'
    )
    done = desk.run("database", "status")
    assert done.exit_code == 1
    assert "hidden" not in done.output
    assert "defect" not in done.stderr


def test_the_vault_counts_keys_and_tries_them(desk):
    status = desk.json("vault", "status")
    assert (status["ok"], status["data_keys"]["connection_tokens"]) == (True, 1)
    assert "Every key in use opens" in desk.run("vault", "status").stdout


def test_the_vault_names_a_key_that_does_not_open(desk, town):
    with town.store.transaction() as tx:
        tx.run("UPDATE vault_canaries SET epoch = epoch + 1 WHERE tenant_id = :id", id=town.house.tenant.id)
    assert desk.json("vault", "status", exit_code=1)["findings"][0]["code"] == "canary_broken"


def test_the_ledger_is_verified_signed_and_shown(desk, town):
    town.fresh()
    assert desk.run("ledger", "checkpoint").stdout.startswith("127.0.0.1:8080/ledger\n")
    assert desk.json("ledger", "checkpoint")["size"] > 0
    report = desk.json("ledger", "verify")
    assert (report["ok"], report["signed_to"]) == (True, report["size"])
    assert "Nothing was changed" in desk.run("ledger", "verify").stdout
    assert desk.json("ledger", "show", "--limit", "1")[0]["kind"]


def test_the_ledger_of_a_person_is_shown_by_their_sub(desk, town):
    town.fresh()
    connection = town.connection()
    # the person in this test has the pseudonym of their user row
    shown = desk.json("ledger", "show", "--user", connection.sub)
    assert {one["pseudonym"] for one in shown} == {connection.pseudonym}
    assert desk.run("ledger", "show", "--user", "usr_nobody").exit_code == 1


def test_a_changed_ledger_fails_and_names_the_place(desk, town):
    town.fresh()
    desk.json("ledger", "checkpoint")
    with town.store.transaction() as tx:
        tx.run("UPDATE ledger_entries SET at = at + 1 WHERE tree_index = 0")
    assert desk.json("ledger", "verify", exit_code=1)["problem"]["place"] == "entry tree_index=0"


def test_a_ledger_is_verified_against_keys_kept_elsewhere(desk, town):
    town.fresh()
    desk.json("ledger", "checkpoint")
    strangers = {"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    file = desk.file("keys.json", json.dumps({"keys": [strangers]}))
    assert desk.json("ledger", "verify", "--keys", file, exit_code=1)["problem"]["what"] == "no given key signed it"


# Receipts and users -------------------------------------------------------------------------------------


@pytest.fixture
def receipt(desk, town):
    """A receipt's file, and the gateway's public keys in another."""
    made = revoke.revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    file = desk.folder / "receipt.json"
    file.write_bytes(evidence.receipt_file(town.gateway, town.house.tenant.id, made.receipt_id))
    return str(file), desk.file("jwks.json", json.dumps(_keys(town)))


def _keys(town) -> dict:
    with town.store.read() as tx:
        listed = [key for purpose in ("receipt", "ledger") for key in published_keys(tx, town.gateway.vault, purpose)]
    return {"keys": listed}


def test_a_receipt_is_checked_with_nothing_but_the_file_and_the_keys(receipt):
    file, keys = receipt
    verdict = json.loads(run("receipts", "verify", file, "--keys", keys, "--json").stdout)
    assert (verdict["valid"], verdict["trusted"], verdict["body"]["asked_by"]) == (True, True, "person")
    assert "✓ inclusion" in run("receipts", "verify", file, "--keys", keys).stdout


def test_without_keys_it_says_that_who_made_it_is_not_shown(receipt):
    done = run("receipts", "verify", receipt[0])
    assert done.exit_code == 0
    assert "only with --keys" in done.stdout


def test_a_changed_receipt_fails(receipt, tmp_path):
    whole = json.loads((tmp_path / "receipt.json").read_text())
    whole["entry"]["at"] += 1
    (tmp_path / "receipt.json").write_text(json.dumps(whole))
    done = run("receipts", "verify", *receipt[:1], "--keys", receipt[1])
    assert (done.exit_code, "no valid receipt" in done.stdout) == (1, True)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"keys": [{"kty": "OKP"}]}'])
def test_keys_that_are_none_are_a_misuse(receipt, desk, text):
    done = run("receipts", "verify", receipt[0], "--keys", desk.file("none.json", text))
    assert (done.exit_code, "/oauth/jwks" in done.stderr) == (2, True)


def test_a_file_that_is_not_there_is_a_misuse():
    assert run("receipts", "verify", "nothing.json").exit_code == 2


def test_a_deleted_user_is_gone_and_leaves_a_receipt(desk, town):
    sub = town.connection().sub
    done = desk.json("users", "delete", sub)
    assert (done["deleted"], done["receipt"][:4]) == (True, "rcp_")
    with town.store.read() as tx:
        found = rooms.find(tx, town.gateway.vault, town.house.tenant.id, town.connection_id)
    assert found is None or found.ended
    assert desk.run("users", "delete", "usr_nobody").exit_code == 1


def test_what_is_held_about_a_user_is_written_for_them_alone(desk, town):
    sub = town.connection().sub
    done = desk.json("users", "export", sub, str(desk.folder / "out"))
    file = desk.folder / "out" / f"{sub}.zip"
    assert (done["file"], stat.S_IMODE(file.stat().st_mode)) == (str(file), 0o600)
    with zipfile.ZipFile(file) as archive:
        assert {"profile.json", "contacts.vcf", "manifest.json"} <= set(archive.namelist())
    again = desk.run("users", "export", sub, str(desk.folder / "out"))
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)


def test_a_user_that_is_none_is_exported_to_no_file(desk):
    assert desk.run("users", "export", "usr_nobody", str(desk.folder / "out")).exit_code == 1
    assert not (desk.folder / "out").exists()


# A copy -------------------------------------------------------------------------------------------------


def test_a_database_is_copied_with_every_table_told_and_set_aside_until_the_copy_is_undone(desk, town, tmp_path):
    to = f"sqlite:///{tmp_path / 'copy.db'}"
    report = desk.json("database", "copy", "--to", to)
    told = {one["table"]: one for one in report["tables"]}
    assert (told["connections"]["rows"], told["connections"]["same"], report["broken"]) == (1, True, 0)
    assert report["ledger"]["ok"]
    assert "is set aside" in desk.run("connections", "list").stderr
    assert desk.json("database", "copy", "--undo") == {"reopened": True}
    assert len(desk.json("connections", "list")) == 1
    assert desk.run("database", "copy").exit_code == 2
