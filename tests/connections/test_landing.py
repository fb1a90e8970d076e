"""A token answer becomes something that can be stored: clamped, dated, never less than what was there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.connections import keep_refresh, keep_what_is_wider, landed_from
from connector.connections.landing import (
    DEFAULT_LIFETIME_S,
    MAX_LIFETIME_S,
    keep_alive_due,
    refresh_due,
    tell_odd_lifetime,
)
from providers.capabilities import Grant
from providers.secret import Secret

NOW = 1_767_225_600_000


def land(model="rotating", usual=3600, draw=0.0, idle=None, **grant):
    given_grant = Grant(access_token=Secret("a"), **{"refresh_token": Secret("r"), "expires_in_s": 3600, **grant})
    return landed_from(
        given_grant,
        asked=("openid", "contacts"),
        sent_at=NOW,
        refresh_model=model,
        access_ttl_s=usual,
        draw=draw,
        refresh_idle_ttl_s=idle,
    )


def test_a_lifetime_counts_from_when_the_request_left():
    assert land().expires_at == NOW + 3600 * 1000


@pytest.mark.parametrize("nonsense", [0, -5])
def test_a_lifetime_that_makes_no_sense_becomes_the_usual_one(nonsense):
    assert land(expires_in_s=nonsense, usual=7200).lifetime_s == 7200


def test_no_lifetime_and_no_usual_one_means_no_known_end():
    landed = land(expires_in_s=None, usual=None)
    assert (landed.expires_at, landed.lifetime_s, landed.refresh_at) == (None, None, None)


def test_an_absurd_lifetime_becomes_the_usual_one_as_well():
    """Ten years for a token that lives an hour would mean that it is never refreshed."""
    assert land(expires_in_s=10**18, usual=7200).lifetime_s == 7200
    assert land(expires_in_s=MAX_LIFETIME_S, usual=None).lifetime_s == MAX_LIFETIME_S
    assert land(expires_in_s=0, usual=None).lifetime_s == DEFAULT_LIFETIME_S


@pytest.mark.parametrize(
    ("given_s", "word"), [(None, "absent"), (0, "not_positive"), (-5, "not_positive"), (10**18, "absurd"), (60, None)]
)
def test_what_is_wrong_with_a_lifetime_is_said(given_s, word, capsys):
    landed = land(expires_in_s=given_s)
    assert landed.odd_lifetime == word
    tell_odd_lifetime(landed, "int_a")
    assert ("token.lifetime_clamped" in capsys.readouterr().out) == (word in {"not_positive", "absurd"})


@pytest.mark.parametrize(
    ("lifetime_s", "draw", "before_s"),
    [(3600, 0.0, 720), (3600, 0.5, 720 + 90), (100_000, 0.0, 900), (300, 0.0, 60), (120, 0.0, 60), (60, 0.0, 30)],
)
def test_the_background_refresh_comes_a_fifth_of_the_life_before_its_end_within_bounds_and_spread(
    lifetime_s, draw, before_s
):
    assert refresh_due(NOW + lifetime_s * 1000, lifetime_s, draw) == NOW + (lifetime_s - before_s) * 1000


@pytest.mark.parametrize(("idle_s", "every_s"), [(4000, 1000), (180 * 86400, 86400), (None, None)])
def test_a_refresh_token_is_used_well_before_it_dies_of_disuse(idle_s, every_s):
    due = keep_alive_due(NOW, idle_s, 0.0)
    assert due == (None if every_s is None else NOW + every_s * 1000)
    if due is not None and idle_s is not None:
        assert NOW < keep_alive_due(NOW, idle_s, 0.999) < due


def test_a_token_without_an_end_is_kept_alive_and_one_that_ends_sooner_is_refreshed_for_that():
    assert land(expires_in_s=None, usual=None, idle=4000, draw=0.0).refresh_at == NOW + 1_000_000
    assert land(expires_in_s=600, idle=4000, draw=0.0).refresh_at == NOW + 480_000
    kept = land(expires_in_s=None, usual=None, idle=4000, draw=0.0, refresh_token=None)
    assert kept.refresh_at is None
    assert keep_refresh(kept, Secret("held")).refresh_at == NOW + 1_000_000


def test_scopes_count_as_asked_only_where_the_provider_did_not_say():
    assert land(scopes=None).granted_scopes == ("openid", "contacts")
    assert land(scopes=("openid",)).granted_scopes == ("openid",)


def test_an_exchanging_provider_refreshes_without_a_refresh_token():
    assert land(model="exchange", refresh_token=None).can_refresh


def test_a_provider_that_does_not_refresh_is_never_due():
    landed = land(model="none", refresh_token=None)
    assert (landed.can_refresh, landed.refresh_at) == (False, None)


@given(st.integers(min_value=1, max_value=10**8), st.floats(min_value=0, max_value=0.999))
def test_the_background_refresh_is_due_within_the_life_of_the_token(lifetime_s, draw):
    due = refresh_due(NOW + lifetime_s * 1000, lifetime_s, draw)
    assert due is not None
    assert NOW <= due < NOW + lifetime_s * 1000


def test_an_answer_without_a_refresh_token_keeps_the_one_that_is_there():
    kept = keep_refresh(land(refresh_token=None), Secret("old"))
    assert kept.refresh == Secret("old")
    assert kept.can_refresh


def test_an_answer_with_a_refresh_token_replaces_the_one_that_is_there():
    assert keep_refresh(land(refresh_token=Secret("new")), Secret("old")).refresh == Secret("new")


def test_a_repeated_sign_in_with_narrower_scopes_does_not_take_scopes_away_silently():
    kept = keep_what_is_wider(land(scopes=("openid",)), held_refresh=None, held_scopes=("openid", "contacts"))
    assert kept.granted_scopes == ("openid", "contacts")


def test_a_scope_that_the_person_declined_this_time_is_not_kept():
    new = land(scopes=("openid",), declined=("contacts",))
    assert keep_what_is_wider(new, held_refresh=None, held_scopes=("openid", "contacts")).granted_scopes == ("openid",)
