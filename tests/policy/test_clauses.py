"""One test or more for each clause; the names carry the clause, and docs/policy.md lists them by it."""

from __future__ import annotations

import pytest

from connector.model.tags import Category, Form, Obligation, Source, Visibility
from connector.policy.space import DIMENSIONS, Box, Cells
from tests.policy.shipped import ask, policy, standing, tags

PHONE = tags("contact", "given")
IMPORTED_PHONE = tags("contact", "imported")
NOTE = tags("note", "given")
TOKEN = tags("credential", "given")


def cells(**words: str) -> Cells:

    return Cells.of(Box({name: frozenset([DIMENSIONS[name](word)]) for name, word in words.items()}))


def allowed() -> Cells:
    return policy().versions[-1].tables.allowed


def test_clause_0_using_the_service_imports_nothing():
    answer = ask("collect us service", IMPORTED_PHONE, standing(choice="none"))
    assert (answer.allowed, answer.clause) == (False, "0")


def test_clause_0_signing_up_alone_pushes_nothing():
    answer = ask("push provider sync", PHONE, standing(choice="none"))
    assert (answer.allowed, answer.clause, answer.rule_id) == (False, "3a", "push-without-opt-in")


def test_clause_1_a_public_value_is_shown_until_it_is_made_private():
    assert ask("show user service", tags("profile", "given", visibility="public")).clause == "1"
    assert ask("show user service", tags("profile", "given", visibility="public")).allowed
    assert not ask("show user service", tags("profile", "given")).allowed


@pytest.mark.parametrize("visibility", ["public", "shared"])
def test_clause_1_an_import_never_lands_public(visibility):
    answer = ask("collect us service", tags("contact", "imported", visibility=visibility))
    assert (answer.allowed, answer.clause) == (False, "1")


def test_clause_1_a_child_opens_nothing_but_handing_the_grant_back():
    child = allowed() & cells(age="child")
    assert len(child) > 0
    assert not child - cells(age="child", action="use", recipient="us", purpose="protect", category="credential")


def test_clause_1_a_child_is_refused_at_sign_up_with_a_purge():
    answer = ask("collect us account", tags("profile", "imported", age="child"))
    assert (answer.allowed, answer.clause) == (False, "1")
    assert Obligation.PURGE in answer.obligations


def test_clause_1_a_parents_consent_opens_the_usual_with_an_end():
    answer = ask("keep us account", tags("profile", "given", age="child_parent_ok"))
    assert answer.allowed
    assert Obligation.EXPIRE in answer.obligations


def test_clause_2_what_no_purpose_names_is_refused():
    answer = ask("use affiliate improve", PHONE)
    assert (answer.allowed, answer.clause, answer.rule_id) == (False, "3", "default")


def test_clause_2_what_was_given_serves_the_account():
    assert ask("use us account", PHONE, standing(choice="withdrawn")).allowed


def test_clause_2a_a_chosen_import_comes_in_tagged():
    answer = ask("collect us service", IMPORTED_PHONE)
    assert (answer.allowed, answer.clause, answer.obligations) == (True, "2a", (Obligation.TAG,))


def test_clause_2a_a_withdrawn_choice_ends_the_use_of_imports():
    answer = ask("use us service", IMPORTED_PHONE, standing(choice="withdrawn"))
    assert (answer.allowed, answer.clause) == (False, "2a")


@pytest.mark.parametrize("recipient", ["provider", "affiliate", "agent"])
def test_clause_2a_no_combination_lets_a_note_leave_to(recipient):
    assert not allowed() & cells(category="note", recipient=recipient)


def test_clause_2a_a_shared_note_is_shown_and_an_unshared_one_is_not():
    shared = tags("note", "given", visibility="shared")
    assert ask("show user service", shared).allowed
    assert ask("show user service", NOTE).clause == "2a"
    assert not ask("show user service", NOTE).allowed


def test_clause_2a_contacts_serve_their_owner_only():
    people = tags("people", "imported")
    assert ask("use us service", people).allowed
    for purpose in ("personalise", "contact", "improve", "sync"):
        assert ask(f"use us {purpose}", people).clause == "2a"
        assert not ask(f"use us {purpose}", people).allowed


def test_clause_2b_identified_usage_never_improves():
    assert not allowed() & cells(category="usage", form="identified", purpose="improve")
    assert ask("use us improve", tags("usage", "observed", form="aggregate")).allowed


def test_clause_2b_no_use_reads_a_note():
    assert not allowed() & cells(category="note", action="use")
    assert ask("use us service", NOTE).clause == "2b"


def test_clause_2c_an_opt_out_ends_messages():
    assert ask("use us contact", PHONE).obligations == (Obligation.LOG, Obligation.OFFER_OPT_OUT)
    answer = ask("use us contact", PHONE, standing(choice="withdrawn"))
    assert (answer.allowed, answer.clause) == (False, "2c")


def test_clause_3_nothing_is_sold_whatever_its_tags():
    assert not allowed() & cells(purpose="sell")


def test_clause_3_what_leaves_is_logged():
    leaving = Cells.union(allowed() & cells(action=action) for action in ("share", "push", "export"))
    assert not leaving - policy().versions[-1].tables.carried[Obligation.LOG][0]


def test_clause_3a_an_opted_in_push_goes_out_with_log_and_receipt():
    answer = ask("push provider sync", PHONE)
    assert (answer.allowed, answer.clause) == (True, "3a")
    assert answer.obligations == (Obligation.LOG, Obligation.RECEIPT)


@pytest.mark.parametrize(
    ("value", "now", "rule"),
    [
        (IMPORTED_PHONE, standing(), "push-own-words-only"),
        (PHONE, standing(choice="withdrawn"), "push-without-opt-in"),
        (PHONE, standing(link="revoked"), "push-needs-link"),
        (tags("people", "given"), standing(), "push-not-people"),
        (tags("contact", "given", revision="unrevised"), standing(), "unrevised-dormant"),
    ],
)
def test_clause_3a_a_push_is_refused_for(value, now, rule):
    answer = ask("push provider sync", value, now)
    assert (answer.allowed, answer.rule_id) == (False, rule)


def test_clause_3b_an_agent_is_bound_and_gets_no_note_or_people():
    answer = ask("share agent service", PHONE)
    assert answer.allowed
    assert Obligation.BIND_AGENT in answer.obligations
    assert not ask("share agent service", NOTE).allowed
    assert not ask("share agent service", tags("people", "given")).allowed


@pytest.mark.parametrize("notice", ["none", "waiting", "objected"])
def test_clause_3c_no_transfer_before_the_notice_ran_out(notice):
    answer = ask("share acquirer transfer", PHONE, standing(notice=notice))
    assert (answer.allowed, answer.clause) == (False, "3c")
    assert ask("share acquirer transfer", PHONE, standing(notice="clear")).allowed


def test_clause_3d_a_release_needs_a_named_approver():
    answer = ask("share authority protect", NOTE)
    assert (answer.allowed, answer.clause) == (True, "3d")
    assert Obligation.NAMED_APPROVER in answer.obligations


@pytest.mark.parametrize(
    ("notice", "allowed_then"), [("none", False), ("waiting", False), ("objected", False), ("clear", True)]
)
def test_clause_3e_sharing_waits_for_notice_and_stops_on_objection(notice, allowed_then):
    answer = ask("share affiliate personalise", PHONE, standing(notice=notice))
    assert (answer.allowed, answer.clause) == (allowed_then, "3e")


@pytest.mark.parametrize("action", ["show", "share", "push", "export"])
def test_clause_4_a_credential_never_leaves_by(action):
    assert not allowed() & cells(category="credential", action=action)


def test_clause_4_a_token_is_handed_out_for_account_service_and_sync_only():
    for purpose in ("account", "service", "sync"):
        assert ask(f"use us {purpose}", TOKEN).allowed
        assert not ask(f"use us {purpose}", TOKEN, standing(link="revoked")).allowed
    for purpose in ("personalise", "contact", "improve", "transfer", "sell"):
        assert not ask(f"use us {purpose}", TOKEN).allowed


@pytest.mark.parametrize("category", [word for word in Category if word is not Category.CREDENTIAL])
@pytest.mark.parametrize("source", list(Source))
def test_clause_5_the_owner_sees_and_exports_everything(category, source):
    assert ask("show owner account", tags(category, source)).clause == "5"
    assert ask("show owner account", tags(category, source)).allowed
    assert ask("export owner account", tags(category, source)).allowed


def test_clause_5_after_revocation_the_owner_can_still_export():
    assert ask("export owner account", IMPORTED_PHONE, standing(link="revoked", choice="withdrawn")).allowed


def test_clause_6_after_revocation_nothing_else_opens_an_import():
    dead = allowed() & cells(source="imported", link="revoked", form="identified")
    assert not dead - cells(action="export", recipient="owner", purpose="account")
    answer = ask("keep us account", IMPORTED_PHONE, standing(link="revoked"))
    assert (answer.allowed, answer.clause, answer.obligations) == (False, "6", (Obligation.PURGE_IMPORTED,))


def test_clause_6_an_older_copy_is_found_under_protection_only():
    older = tags("contact", "given", revision="unrevised")
    assert ask("keep us protect", older).obligations == (Obligation.EXPIRE,)
    assert ask("show owner account", older).allowed
    assert not ask("use us service", older).allowed


def test_clause_6_after_deletion_only_the_closed_list_remains():
    gone = allowed() & cells(account="deleted", form="identified")
    assert not gone - cells(recipient="us", purpose="protect")
    assert ask("use us improve", tags("profile", "given", form=Form.AGGREGATE), standing(account="deleted")).allowed


@pytest.mark.parametrize(("use", "value"), [("push provider sync", PHONE), ("collect us service", IMPORTED_PHONE)])
def test_clause_7_a_stale_choice_is_asked_again(use, value):
    answer = ask(use, value, standing(choice="stale"))
    assert (answer.allowed, answer.clause, answer.obligations) == (False, "7", (Obligation.ASK_AGAIN,))


def test_clause_7_an_opt_out_does_not_silence_notices():
    assert ask("use us account", PHONE, standing(choice="withdrawn")).allowed


def test_clause_8_a_question_is_answered_also_after_an_opt_out():
    assert ask(
        "use us service", tags("contact", "given", visibility=Visibility.PRIVATE), standing(choice="withdrawn")
    ).allowed
