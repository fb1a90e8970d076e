import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vault.second_vault import lengths
from vault.lp import lp

_PARTS = st.lists(st.binary(max_size=300), max_size=12)


@given(_PARTS, _PARTS)
def test_two_different_lists_never_encode_alike(first: list[bytes], second: list[bytes]) -> None:
    assert (lp(*first) == lp(*second)) == (first == second)


def test_a_byte_that_moves_over_a_border_changes_the_encoding() -> None:
    assert lp(b"t_", b"1c") != lp(b"t_1", b"c")
    assert lp(b"a", b"") != lp(b"", b"a")
    assert lp(b"") != lp()


def test_without_lengths_the_moved_byte_goes_unnoticed() -> None:
    assert b"".join([b"t_", b"1c"]) == b"".join([b"t_1", b"c"])


@given(_PARTS)
def test_a_second_implementation_encodes_the_same(parts: list[bytes]) -> None:
    assert lp(*parts) == lengths(*parts)


def test_more_parts_than_the_count_can_hold_are_refused() -> None:
    with pytest.raises(OverflowError):
        lp(*[b""] * 65_536)
