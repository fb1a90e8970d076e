import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault import DataKey, Field, Owner, RowSealBroken, rowseal

OWNER = Owner("ten_a", "connection_tokens", "con_42")
KEY = DataKey(OWNER, 1, bytes(range(32)))
ROW: list[Field] = ["con_42", "google", "active", "email profile", 3, None, b"\x01\x02"]
_FIELDS = st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=20), st.binary(max_size=20)), max_size=8)


def _encoded(fields: Sequence[Field]) -> list[tuple[str, Field]]:
    return [(type(field).__name__, field) for field in fields]


@given(_FIELDS, _FIELDS)
def test_a_seal_fits_its_own_row_and_no_other(first: list[Field], second: list[Field]) -> None:
    seal = KEY.seal_row("connections", first)
    assert len(seal) == 32
    KEY.check_row("connections", first, seal)
    if _encoded(first) != _encoded(second):
        with pytest.raises(RowSealBroken):
            KEY.check_row("connections", second, seal)


@pytest.mark.parametrize("place", range(len(ROW)))
def test_a_changed_field_breaks_the_seal(place: int) -> None:
    seal = KEY.seal_row("connections", ROW)
    changed = [*ROW[:place], "changed", *ROW[place + 1 :]]
    with pytest.raises(RowSealBroken):
        KEY.check_row("connections", changed, seal)


def test_none_and_the_empty_and_zero_values_are_all_different() -> None:
    alike: list[Field] = [None, "", b"", 0, "0", b"0", "n", "None", 1, "1"]
    for first, second in itertools.permutations(alike, 2):
        with pytest.raises(RowSealBroken):
            KEY.check_row("t", [second], KEY.seal_row("t", [first]))


def test_a_boolean_counts_as_the_integer_it_is_stored_as() -> None:
    KEY.check_row("t", [1, 0], KEY.seal_row("t", [True, False]))


def test_a_seal_of_another_table_does_not_fit() -> None:
    with pytest.raises(RowSealBroken):
        KEY.check_row("clients", ROW, KEY.seal_row("connections", ROW))


@pytest.mark.parametrize(
    "other",
    [
        DataKey(OWNER, 1, bytes(32)),
        DataKey(OWNER, 2, bytes(range(32))),
        DataKey(Owner("ten_a", "connection_tokens", "con_43"), 1, bytes(range(32))),
        DataKey(Owner("ten_b", "connection_tokens", "con_42"), 1, bytes(range(32))),
    ],
    ids=["another key", "another epoch", "another owner", "another tenant"],
)
def test_a_seal_by_another_key_epoch_or_owner_does_not_fit(other: DataKey) -> None:
    with pytest.raises(RowSealBroken):
        KEY.check_row("connections", ROW, other.seal_row("connections", ROW))


@pytest.mark.parametrize("seal", [b"", bytes(32), bytes(31), bytes(33)])
def test_a_seal_of_nothing_or_of_another_length_does_not_fit(seal: bytes) -> None:
    with pytest.raises(RowSealBroken):
        KEY.check_row("connections", ROW, seal)


def test_a_field_of_another_type_is_refused() -> None:
    for field in (1.5, ["a"], {"a": 1}):
        with pytest.raises(TypeError):
            KEY.seal_row("t", [field])  # type: ignore[list-item]  # the mistake under test


def test_without_the_check_a_revoked_row_turns_active_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seal = KEY.seal_row("connections", ["con_42", "revoked"])
    with pytest.raises(RowSealBroken):
        KEY.check_row("connections", ["con_42", "active"], seal)
    monkeypatch.setattr(rowseal, "compare_digest", lambda a, b: True)
    KEY.check_row("connections", ["con_42", "active"], seal)


def test_without_types_a_null_passes_for_an_empty_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowseal, "_typed", lambda field: b"" if field is None else str(field).encode())
    KEY.check_row("t", [""], KEY.seal_row("t", [None]))
