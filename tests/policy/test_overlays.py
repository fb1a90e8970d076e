"""The terms of providers: they refuse, and open nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from connector.model.tags import Use
from connector.policy import OWN, PolicyUnreadable, Version, load_policy, prove
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


def test_clause_3c_what_came_under_googles_limited_use_never_changes_hands():
    after_notice = standing(notice="clear")
    assert ask("share acquirer transfer", PHONE, OWN, after_notice).allowed
    refused = ask("share acquirer transfer", PHONE, GOOGLE, after_notice)
    assert (refused.allowed, refused.clause, refused.rule_id) == (False, "3c", "google-no-transfer")
    assert refused.terms == GOOGLE
    assert "Google (Limited Use)" in refused.explanation
    assert "https://developers.google.com/" in refused.explanation
    assert ask("share acquirer transfer", tags("contact", "given"), GOOGLE, after_notice).allowed


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
    refused = ask("share acquirer transfer", PHONE, GOOGLE, standing(notice="waiting"))
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
        ('effect = "deny"', 'effect = "allow"', ('rule "google-no-transfer"', "effect", "only refuse")),
        ('effect = "deny"', 'effect = "oblige"', ('rule "google-no-transfer"', "effect", "only refuse")),
        ('recipient = ["acquirer"]', 'recipient = ["aquirer"]', ('rule "google-no-transfer"', "recipient", "aquirer")),
        ('clause = "3c"', 'clause = "3x"', ('rule "google-no-transfer"', "clause", "3x")),
        ('source = "https:', 'source = "http:', ('key "source"', "https")),
        ("read_on = 2026-11-22", 'read_on = "lately"', ('key "read_on"', "day")),
        ("scopes = [", "scopes = [] # [", ("not TOML",)),
        ('id = "google-features-only"', 'id = "google-no-transfer"', ("google-no-transfer", "twice")),
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
