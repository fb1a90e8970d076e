"""A token answer becomes something that can be stored: clamped, dated, never less than what was there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.connections import keep_refresh, keep_what_is_wider, landed_from
from connector.connections.landing import MAX_LIFETIME_S, refresh_due
from providers.capabilities import Grant
from providers.secret import Secret

NOW = 1_767_225_600_000


def land(model="rotating", usual=3600, draw=0.0, **grant):
    given_grant = Grant(access_token=Secret("a"), **{"refresh_token": Secret("r"), "expires_in_s": 3600, **grant})
    return landed_from(
        given_grant, asked=("openid", "contacts"), sent_at=NOW, refresh_model=model, access_ttl_s=usual, draw=draw
    )


def test_a_lifetime_counts_from_when_the_request_left():
    assert land().expires_at == NOW + 3600 * 1000


@pytest.mark.parametrize("nonsense", [0, -5])
def test_a_lifetime_that_makes_no_sense_becomes_the_usual_one(nonsense):
    assert land(expires_in_s=nonsense, usual=7200).lifetime_s == 7200


def test_no_lifetime_and_no_usual_one_means_no_known_end():
    landed = land(expires_in_s=None, usual=None)
    assert (landed.expires_at, landed.lifetime_s, landed.refresh_at) == (None, None, None)


def test_an_absurd_lifetime_is_cut_to_the_longest_that_makes_sense():
    assert land(expires_in_s=10**18).lifetime_s == MAX_LIFETIME_S


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
