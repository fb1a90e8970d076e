import pytest

from vault import Address, CommitmentMismatch, DataKey, Owner, OwnerMismatch

OWNER = Owner("ten_a", "user", "usr_1")
ADDRESS = Address("ten_a", "user", "usr_1", "", "values.value")
KEY = DataKey(OWNER, 1, bytes(range(32)))


def test_a_value_sealed_with_its_tags_opens_with_them() -> None:
    blob = KEY.seal(ADDRESS, b"Ada", generation=1, tags=b"given")
    assert KEY.open(ADDRESS, blob, generation=1, tags=b"given") == b"Ada"


@pytest.mark.parametrize(
    "address",
    [
        Address("ten_b", "user", "usr_1", "", "values.value"),
        Address("ten_a", "flow", "usr_1", "", "values.value"),
        Address("ten_a", "user", "usr_2", "", "values.value"),
    ],
)
def test_a_key_does_not_seal_at_another_owners_address(address: Address) -> None:
    with pytest.raises(OwnerMismatch):
        KEY.seal(address, b"Ada", generation=1)


def test_another_owners_key_does_not_open_it() -> None:
    blob = KEY.seal(ADDRESS, b"Ada", generation=1)
    with pytest.raises(CommitmentMismatch):
        DataKey(OWNER, 1, bytes(32)).open(ADDRESS, blob, generation=1)


def test_a_mac_depends_on_purpose_parts_owner_and_key() -> None:
    others = [
        KEY.mac("cookie", b"ab", b"c"),
        KEY.mac("cookie", b"a", b"bc"),
        KEY.mac("cookie", b"abc"),
        KEY.mac("state", b"ab", b"c"),
        DataKey(OWNER, 1, bytes(32)).mac("cookie", b"ab", b"c"),
        DataKey(OWNER, 2, bytes(range(32))).mac("cookie", b"ab", b"c"),
        DataKey(Owner("ten_b", "user", "usr_1"), 1, bytes(range(32))).mac("cookie", b"ab", b"c"),
    ]
    assert len(set(others)) == len(others)
    assert KEY.mac("cookie", b"ab", b"c") == others[0]
