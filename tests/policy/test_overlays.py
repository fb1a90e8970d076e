"""The terms of providers: they refuse, and open nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from connector.model.tags import Use
from connector.policy import OWN, PolicyUnreadable, Version, flows, load_policy, prove
from connector.policy.rules import Effect, Overlay
from tests.policy.shipped import DIRECTORY, NOW, policy, standing, tags

GOOGLE, FACEBOOK = "google", "facebook"
CONTACTS = "https://www.googleapis.com/auth/contacts.readonly"
PHONE = tags("contact", "imported")
FIGURE = tags("contact", "imported", form="aggregate")


def shipped() -> Version:
    return policy().versions[-1]


def ask(use: str, value, terms: str, now=None):
    return policy().decide(Use.of(*use.split()), value, now or standing(), NOW, terms=terms)


def test_terms_go_by_provider_and_scope():
    version = shipped()
    assert version.terms_for("google", ["openid", "email", "profile"]) == OWN
    assert version.terms_for("google", ["openid", CONTACTS]) == GOOGLE
    assert version.terms_for("facebook", ["public_profile"]) == FACEBOOK
    assert version.terms_for("github", [CONTACTS]) == OWN


@pytest.mark.parametrize(
    ("terms", "title"), [(GOOGLE, "Google (Limited Use)"), (FACEBOOK, "Facebook (platform terms)")]
)
def test_clause_3c_what_came_under_these_terms_changes_hands_only_with_an_explicit_yes(terms, title):
    after_notice, yes = standing(choice="none", notice="clear"), standing(choice="given", notice="clear")
    assert ask("share acquirer transfer", PHONE, OWN, after_notice).allowed
    refused = ask("share acquirer transfer", PHONE, terms, after_notice)
    assert (refused.allowed, refused.clause, refused.rule_id) == (False, "3c", f"{terms}-transfer-by-consent")
    assert refused.terms == terms
    assert title in refused.explanation
    assert "https://developers." in refused.explanation
    assert ask("share acquirer transfer", PHONE, terms, yes).allowed
    assert not ask("share acquirer transfer", PHONE, terms, standing(choice="given", notice="waiting")).allowed
    assert ask("share acquirer transfer", tags("contact", "given"), terms, after_notice).allowed


def test_clause_3b_an_agent_gets_what_came_under_limited_use_only_under_a_live_choice():
    assert ask("share agent service", PHONE, GOOGLE).allowed
    for choice in ("none", "stale"):
        assert ask("share agent service", PHONE, OWN, standing(choice=choice)).allowed
        assert ask("share agent service", PHONE, GOOGLE, standing(choice=choice)).rule_id == "google-agents-by-choice"


def test_clause_2_facebooks_data_builds_a_profile_only_under_a_live_choice_and_improves_as_figures_alone():
    unasked = standing(choice="none")
    assert ask("use us personalise", PHONE, OWN, unasked).allowed
    assert ask("use us personalise", PHONE, FACEBOOK, unasked).rule_id == "facebook-profiles-by-choice"
    assert ask("use us personalise", PHONE, FACEBOOK).allowed
    assert ask("use us improve", PHONE, OWN).allowed
    assert ask("use us improve", PHONE, FACEBOOK).rule_id == "facebook-improves-by-figures"
    assert ask("use us improve", FIGURE, FACEBOOK).allowed


def test_clause_3d_no_flow_weighs_credit_advertises_or_watches_under_any_terms():
    known = {f"{flow.action} {flow.recipient} {flow.purpose}" for flow in flows(policy(), NOW)}
    assert {flow for flow in known if flow.endswith("protect")} == {
        "collect us protect",
        "keep us protect",
        "use us protect",
        "share authority protect",
    }
    assert not any(flow.endswith("sell") for flow in known)


def test_clause_6_figures_drawn_from_googles_data_end_with_the_connection():
    revoked = standing(link="revoked")
    assert ask("use us improve", FIGURE, OWN, revoked).allowed
    assert ask("use us improve", FIGURE, GOOGLE, revoked).rule_id == "google-derived"
    assert ask("use us improve", FIGURE, GOOGLE).allowed


def test_clause_2a_what_facebook_says_of_others_is_not_taken():
    people = tags("people", "imported")
    assert ask("collect us service", people, OWN).allowed
    assert ask("collect us service", people, FACEBOOK).rule_id == "facebook-no-friends"


def test_a_rule_of_ours_is_cited_before_the_terms():
    refused = ask("share acquirer transfer", PHONE, GOOGLE, standing(choice="none", notice="waiting"))
    assert (refused.rule_id, refused.terms) == ("transfer-notice-first", OWN)


def test_terms_that_a_version_does_not_know_are_our_own():
    assert ask("use us service", PHONE, "nobody") == ask("use us service", PHONE, OWN)


def test_decisions_under_terms_agree_with_the_proven_table_at_every_edge():
    for overlay in shipped().book.overlays:
        allowed = shipped().tables_under(overlay.name).allowed
        narrowed = shipped().tables.allowed - allowed
        assert narrowed
        cell = narrowed.first()
        assert cell is not None
        assert not policy().decide(cell.use, cell.tags, cell.standing, NOW, terms=overlay.name).allowed
        assert policy().decide(cell.use, cell.tags, cell.standing, NOW).allowed


def with_overlay(change) -> Version:
    book = shipped().book
    return Version(replace(book, overlays=tuple(change(each) for each in book.overlays)), sha256_hex="")


def test_terms_that_open_something_are_caught_by_the_proof():
    """The twin: an overlay that got past the reading with a permission in it."""

    def widened(overlay: Overlay) -> Overlay:
        first = replace(overlay.rules[0], effect=Effect.ALLOW)
        return replace(overlay, rules=(first, *overlay.rules[1:]))

    broken = {violation.promise for violation in prove(with_overlay(widened)).violations}
    assert {"facebook-narrows", "google-narrows"} <= broken


def test_terms_that_refuse_too_much_or_too_little_break_their_own_promises():
    emptied = prove(with_overlay(lambda overlay: replace(overlay, rules=())))
    assert {"google-stays", "facebook-people-unused"} <= {each.promise for each in emptied.violations}
    assert all(str(each).count("Under") == 1 for each in emptied.violations)

    def freed(overlay: Overlay) -> Overlay:
        return replace(overlay, rules=tuple(replace(rule, box=rule.box.without("source")) for rule in overlay.rules))

    assert "own-words-still-transferred" in {each.promise for each in prove(with_overlay(freed)).violations}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DIRECTORY, tmp_path / "policy"))


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        ('effect = "deny"', 'effect = "allow"', ('rule "google-transfer-by-consent"', "effect", "only refuse")),
        ('effect = "deny"', 'effect = "oblige"', ('rule "google-transfer-by-consent"', "effect", "only refuse")),
        (
            'recipient = ["acquirer"]',
            'recipient = ["aquirer"]',
            ("google-transfer-by-consent", "recipient", "aquirer"),
        ),
        ('clause = "3c"', 'clause = "3x"', ('rule "google-transfer-by-consent"', "clause", "3x")),
        ('source = "https:', 'source = "http:', ('key "source"', "https")),
        ("read_on = 2026-11-22", 'read_on = "lately"', ('key "read_on"', "day")),
        ("scopes = [", "scopes = [] # [", ("not TOML",)),
        ('id = "google-features-only"', 'id = "google-transfer-by-consent"', ("google-transfer-by-consent", "twice")),
        ('id = "google-features-only"', 'id = "child"', ("child", "twice")),
        ('name = "google"', 'name = "facebook"', ("facebook", "twice")),
        ('provider = "google"', 'provider = "facebook"', ("provider facebook", "twice")),
        ('title = "Google', 'colour = "red"\ntitle = "Google', ("colour", "unknown key")),
    ],
)
def test_a_slip_in_terms_is_refused_with_its_place(copy, old, new, places):
    path = copy / "2019-03-11" / "overlays" / "google.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyUnreadable) as refused:
        load_policy(copy)
    assert all(place in refused.value.hint for place in places), refused.value.hint


def test_editing_or_dropping_terms_changes_the_hash_of_the_version(copy):
    before = load_policy(copy).versions[0].sha256
    (copy / "2019-03-11" / "overlays" / "google.toml").unlink()
    assert load_policy(copy).versions[0].sha256 != before
