"""Sources whose keys can be changed from here: a file, Transit's versions, Google's versions. One contract again."""

import pytest

from tests.vault.sources.conftest import make_rig
from vault import GrowingKeySource, KekUnknown, KeySourceError
from vault.sources.local import LocalKeys
from vault.sources.several import joined

pytestmark = pytest.mark.loopback

TENANT_KEY = bytes(range(64, 96))
CONTEXT = b"tenant ten_a"


@pytest.fixture(params=["file", "transit", "gcp-kms"])
def source(request: pytest.FixtureRequest) -> GrowingKeySource:
    opened = make_rig(request.param, request).open()
    assert isinstance(opened, GrowingKeySource)
    return opened


def _next(source: GrowingKeySource) -> str:
    prefix, _, number = source.key_id().rpartition(":")
    return f"{prefix}:{int(number) + 1}"


def test_a_key_is_added_promoted_and_its_elder_retired_each_as_often_as_one_likes(source: GrowingKeySource) -> None:
    old, new = source.key_id(), _next(source)
    blob = source.wrap(TENANT_KEY, CONTEXT)
    for _ in range(2):
        source.add(new)
    assert source.key_ids() == {old, new}
    for _ in range(2):
        source.promote(new)
    assert source.key_id() == new
    renewed = source.rewrap(blob, CONTEXT)
    for _ in range(2):
        source.retire(old)
    assert (source.key_ids(), source.retired_ids()) == ({new}, {old})
    assert source.unwrap(renewed, CONTEXT) == TENANT_KEY
    with pytest.raises(KekUnknown, match=r"out of use|No key"):
        source.unwrap(blob, CONTEXT)


def test_a_retired_key_can_be_taken_back_until_it_is_forgotten(source: GrowingKeySource) -> None:
    old, new = source.key_id(), _next(source)
    blob = source.wrap(TENANT_KEY, CONTEXT)
    source.add(new)
    source.promote(new)
    source.retire(old)
    source.reinstate(old)
    source.reinstate(old)
    assert source.unwrap(blob, CONTEXT) == TENANT_KEY
    source.retire(old)
    source.forget(old)
    assert old not in source.retired_ids() | source.key_ids()
    for change in (source.reinstate, source.forget):
        with pytest.raises(KekUnknown):
            change(old)


def test_the_key_that_wraps_is_neither_retired_nor_forgotten(source: GrowingKeySource) -> None:
    with pytest.raises(KeySourceError, match="wraps"):
        source.retire(source.key_id())
    with pytest.raises(KekUnknown):
        source.forget(source.key_id())
    assert source.unwrap(source.wrap(TENANT_KEY, CONTEXT), CONTEXT) == TENANT_KEY


def test_a_key_that_is_not_there_is_not_promoted(source: GrowingKeySource) -> None:
    with pytest.raises(KekUnknown):
        source.promote(_next(source))


def test_beside_others_it_still_grows_and_the_others_are_left_alone(source: GrowingKeySource) -> None:
    local = LocalKeys({"old": bytes(32)}, "old")
    both = joined(source, [local])
    assert isinstance(both, GrowingKeySource)
    new = _next(source)
    both.add(new)
    both.promote(new)
    both.retire("local:old")  # it is retired by taking it out of the settings
    both.reinstate("local:old")
    assert both.key_ids() >= {"local:old", new}
    assert both.retired_ids() == frozenset()
    with pytest.raises(KeySourceError, match="only opens"):
        both.promote("local:old")
    with pytest.raises(KekUnknown):
        both.promote("local:other")
