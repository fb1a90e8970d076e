"""A secret is shown to nobody by accident: not printed, not put together, not packed, not told by an error."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import pytest

from providers.secret import Secret

PLAIN = "token-7f3a"


@pytest.fixture
def secret() -> Secret:
    return Secret(PLAIN)


@pytest.mark.parametrize("show", [str, "{}".format, lambda one: f"{one}", "a".__add__])
def test_it_has_no_text_form(secret, show):
    with pytest.raises(TypeError):
        show(secret)


@pytest.mark.parametrize("show", [repr, "{!r}".format, lambda one: str([one]), lambda one: str({"token": one})])
def test_what_shows_it_shows_its_kind(secret, show):
    assert "<secret>" in show(secret)
    assert PLAIN not in show(secret)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(secret, protocol):
    with pytest.raises(TypeError):
        pickle.dumps(secret, protocol)


@pytest.mark.parametrize("pack", [copy.copy, copy.deepcopy])
def test_it_is_not_copied_by_the_way_of_pickle(secret, pack):
    with pytest.raises(TypeError):
        pack(secret)


def test_it_is_no_json(secret):
    with pytest.raises(TypeError):
        json.dumps({"token": secret})
    assert PLAIN not in json.dumps({"token": secret}, default=repr)


def test_a_traceback_that_has_it_in_hand_does_not_tell_it(secret):
    def fails(token: Secret) -> None:
        raise ValueError(f"cannot use {token!r}")

    with pytest.raises(ValueError, match="cannot use") as caught:
        fails(secret)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert PLAIN not in "".join(shown.format())


def test_two_are_equal_only_by_what_they_hold(secret):
    assert secret == Secret(PLAIN)
    assert secret != Secret("another")
    assert secret != PLAIN


def test_twin_a_plain_string_is_shown_by_all_of_these():
    assert PLAIN in repr(PLAIN)
    assert PLAIN in json.dumps({"token": PLAIN})
    assert pickle.loads(pickle.dumps(PLAIN)) == PLAIN  # noqa: S301  our own bytes
