"""Only what was granted, noticed, agreed to and allowed comes in; all of it is counted."""

from __future__ import annotations

import json
from dataclasses import replace

from connector import consent, people
from connector.clients import NewIntegration, add_integration
from connector.flows import import_records
from connector.flows.revoke import destroy_due_keys, tell_providers
from connector.model.states import ConnectionState
from connector.model.tags import Age
from connector.people import set_age
from connector.records import Origin
from tests.agreed import (
    agree,
    contact_cards,
    grant_scopes,
    imported,
    names,
    newest_import,
    profile_values,
    queue_import,
    run_imports,
    set_person,
    user_of,
)
from tests.connected import linked


def test_clause_2a_profile_and_contacts_come_in_with_tags_and_origin(town):
    done = imported(town)
    assert done["state"] == "done"
    assert profile_values(town)["/emails/m1"] == {"address": "ada@example.org", "contexts": {"private": True}}
    cards = contact_cards(town)
    assert len(cards) == 24  # 23 friends and the odd one; the child is not there
    value = cards[0].shown[0].stored
    assert value.tags.canonical() == b"tags/1:people,imported,identified,ok,private,current"
    consents = {row["field_group"]: row["id"] for row in town_rows(town, "consents")}
    assert value.origin == Origin(
        "2019-03-11", "rehearsal", town.connection_id, value.origin.field, consents["contacts"]
    )


def test_strangers_are_dropped_and_counted(town):
    counts = imported(town)["counts"]
    assert counts["strangers"] == 4  # shoe_size and x_experimental of the profile, x_mood and favourite_number
    entry = town.entries("import")[-1]
    assert entry["strangers"] == 4
    assert entry["taken"] == counts["taken"] > 24
    with town.store.read() as tx:
        assert tx.one("SELECT 1 AS one FROM records WHERE origin LIKE '%mood%' OR origin LIKE '%shoe%'") is None


def test_clause_1_a_contact_who_is_a_child_is_dropped_and_counted(town):
    counts = imported(town)["counts"]
    assert "Pim" not in names(town)
    assert counts["refused"] == 1


def test_clause_1_every_connection_of_a_child_ends_not_only_the_one_that_told(town):
    with town.store.read() as tx:  # both are one person's
        person = people.find_user(tx, town.gateway.vault, town.house.tenant.id, town.connection().sub)
    second = town.connection(town.connect("bo", user=person))
    set_person(town, born="2020-01-01")
    imported(town)
    assert town.connection(second.id).state is ConnectionState.REVOKED


def test_clause_1_a_contact_who_turns_out_to_be_a_child_goes_again(town):
    imported(town)
    assert "Noor" in names(town)
    for contact_id in ("ada-c000", "ada-c010", "ada-c020"):
        book = town.provider.books["ada"]
        book.put({**book.entries[contact_id][1], "born": "2020-01-01"})
    imported(town)
    assert "Noor" not in names(town)


def test_clause_1_a_person_who_turns_out_to_be_a_child_gets_nothing_imported(town):
    set_person(town, born="2020-01-01")
    done = imported(town)
    assert (done["state"], done["error"]) == ("refused", "under_age")
    assert user_of(town).age is Age.CHILD
    assert town_rows(town, "records") == []


def test_clause_1_the_connection_of_a_child_ends_with_all_that_came_through_it(town):
    imported(town)
    token = town.held_grant().access_token
    assert town_rows(town, "records") != []
    set_person(town, born="2020-01-01")

    done = imported(town)

    assert (done["state"], done["error"]) == ("refused", "under_age")
    assert [one["outcome"] for one in town.entries("import")] == ["done", "refused"]
    row = town.row()
    assert (row["state"], row["ended_by"], row["reason"], row["import_at"]) == (
        "revoked",
        "operator",
        "under_age",
        None,
    )
    assert consent_choices(town) == {"withdrawn"}

    while tell_providers(town.gateway) or destroy_due_keys(town.gateway):
        pass
    assert not town.works(token)
    assert town_rows(town, "records") == []
    assert town_rows(town, "connection_tokens") == []


def test_clause_1_a_verified_parent_keeps_the_connection_and_nothing_of_the_profile_comes_in(town):
    with town.store.transaction() as tx:
        set_age(tx, town.gateway.vault, user_of(town), Age.CHILD_PARENT_OK)
    set_person(town, born="2020-01-01")

    imported(town)

    assert user_of(town).age is Age.CHILD_PARENT_OK
    assert town.row()["state"] == "active"
    assert town_rows(town, "records") == []


def consent_choices(town):
    with town.store.read() as tx:
        return {one.choice.value for one in consent.of_connection(tx, town.gateway.vault, town.connection_id)}


def test_a_scope_that_was_unticked_narrows_the_import_and_nothing_fails(town):
    grant_scopes(town, "openid", "profile")
    done = imported(town)
    assert done["state"] == "done"
    values = profile_values(town)
    assert "/name" in values
    assert not [pointer for pointer in values if pointer.startswith("/emails")]
    assert contact_cards(town) == []
    assert "contacts" not in town.entries("import_started")[-1]["kinds"]


def test_a_category_that_the_notice_did_not_name_does_not_come_in(tmp_path, store, clock):
    town = linked(tmp_path, store, clock)
    agree(town, "import", "profile", categories=["profile"])
    imported(town)
    assert "/name" in profile_values(town)
    assert "/emails/m1" not in profile_values(town)


def test_clause_0_signing_up_is_no_choice_to_import(tmp_path, store, clock):
    town = linked(tmp_path, store, clock)
    done = imported(town)
    assert (done["state"], done["error"]) == ("done", "nothing_granted")
    assert town.gateway.egress.asked("/me") == []
    assert town_rows(town, "records") == []


def test_clause_2a_a_withdrawn_choice_ends_the_import(town):
    with town.store.transaction() as tx:
        for given in consent.of_connection(tx, town.gateway.vault, town.connection_id):
            consent.withdraw(tx, town.gateway.vault, given, by="subject", method="page")
    done = imported(town)
    assert (done["state"], done["error"]) == ("done", "nothing_allowed")
    refused = town.entries("policy_refused")
    assert {entry["clause"] for entry in refused} == {"2a"}
    assert town.gateway.egress.asked("/contacts") == []


def test_what_the_person_withdraws_while_a_page_is_under_way_is_not_stored(town):
    def withdraw(request):
        if request.url.endswith("/me"):
            with town.store.transaction() as tx:
                for given in consent.of_connection(tx, town.gateway.vault, town.connection_id):
                    consent.withdraw(tx, town.gateway.vault, given, by="subject", method="page")

    town.gateway.egress.before = withdraw
    imported(town)
    assert town_rows(town, "records") == []


def test_what_the_integration_does_not_import_is_not_asked_for(tmp_path, store, clock):
    town = linked(tmp_path, store, clock, imports=("profile",))
    agree(town, "import", "profile", "contacts")
    imported(town)
    assert town.gateway.egress.asked("/contacts") == []


def test_every_request_about_a_person_has_its_line_in_the_ledger(town):
    imported(town)
    about_a_person = [request for request in town.gateway.egress.requests if request.about_person]
    assert len(town.entries("provider_request")) == len(about_a_person) == 2


def test_the_ledger_holds_counts_and_no_personal_data(town):
    imported(town)
    with town.store.read() as tx:
        text = json.dumps([row["entry"] for row in tx.all("SELECT entry FROM ledger_entries")])
    assert "ada" not in text.lower().replace("adapter", "")
    assert "Noor" not in text
    assert "mood" not in text


def test_nothing_that_came_in_lies_in_plain_text(town):
    imported(town)
    with town.store.read() as tx:
        tables = ("records", "cards", "changes", "imports", "import_cursors")
        rows = [dict(row) for table in tables for row in tx.all(f"SELECT * FROM {table}")]
    texts = [str([bytes(part) if isinstance(part, memoryview) else part for part in row.values()]) for row in rows]
    for canary in ("ada@example.org", "Lindqvist", "friend3", "Noor", "ada-c001"):
        assert not [text for text in texts if canary in text], canary


def test_a_schedule_asks_again_and_only_when_due(tmp_path, store, clock):
    town = linked(tmp_path, store, clock)
    every_s = 6 * 3600
    scheduled(town, every_s)
    agree(town, "import", "profile", "contacts")
    imported(town)
    assert not import_records.queue_due(town.gateway)
    clock.advance(every_s - 1)
    assert not import_records.queue_due(town.gateway)
    clock.advance(1)
    assert import_records.queue_due(town.gateway)
    assert not import_records.queue_due(town.gateway)
    run_imports(town)
    last = newest_import(town)
    assert (last["number"], last["asked_by"], last["state"]) == (2, "schedule", "done")


def test_an_import_that_waits_is_not_asked_for_twice(town):
    assert queue_import(town) == queue_import(town) == 1
    run_imports(town)
    assert queue_import(town) == 2


def test_twin_where_unknown_age_is_taken_for_a_child_nobody_has_contacts(town, monkeypatch):
    from connector.flows.import_records import sorting  # noqa: PLC0415  beside the patch

    monkeypatch.setattr(sorting, "is_child", lambda item, at: True)
    imported(town)
    assert contact_cards(town) == []


def test_twin_without_the_age_gate_the_child_is_imported(town, monkeypatch):
    from connector.flows.import_records import sorting  # noqa: PLC0415  beside the patch

    monkeypatch.setattr(sorting, "is_child", lambda item, at: False)
    imported(town)
    assert "Pim" in names(town)


def test_an_owner_whose_age_was_corrected_to_child_is_closed_at_once(town):
    imported(town)
    assert profile_values(town)
    with town.store.transaction() as tx:
        set_age(tx, town.gateway.vault, user_of(town), Age.CHILD)
    assert profile_values(town) == {}


def scheduled(town, every_s):
    """A further integration that syncs, and a connection of it."""
    known = town.house.integration
    new = NewIntegration(
        town.house.tenant.id,
        "rehearsal",
        name="syncing",
        client_id=known.client_id,
        client_secret=known.client_secret,
        issuer=known.issuer,
        imports=known.imports,
        sync_every_s=every_s,
    )
    with town.store.transaction() as tx:
        made = add_integration(tx, town.gateway.vault, new, development=True)
    town.house = replace(town.house, integration=made)
    town.connection_id = town.connect("bo")


def town_rows(town, table):
    with town.store.read() as tx:
        return [dict(row) for row in tx.all(f"SELECT * FROM {table}")]
