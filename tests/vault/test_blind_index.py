from tests.vault.fake_database import FakeTransaction
from vault import Vault
from vault.sources.local import LocalKeys


def test_equal_parts_give_equal_indexes_in_every_process(vault: Vault, tx: FakeTransaction, source: LocalKeys) -> None:
    first = vault.index(tx, "ten_a", "identity", b"int_1", b"iss", b"1098765")
    assert len(first) == 32
    assert Vault(source, now=lambda: 0).index(tx, "ten_a", "identity", b"int_1", b"iss", b"1098765") == first


def test_tenant_purpose_and_every_border_between_parts_make_a_difference(vault: Vault, tx: FakeTransaction) -> None:
    vault.create_tenant(tx, "ten_b")
    indexes = [
        vault.index(tx, "ten_a", "identity", b"iss", b"1098765"),
        vault.index(tx, "ten_b", "identity", b"iss", b"1098765"),
        vault.index(tx, "ten_a", "signal", b"iss", b"1098765"),
        vault.index(tx, "ten_a", "identity", b"iss1", b"098765"),
        vault.index(tx, "ten_a", "identity", b"iss1098765"),
        vault.index(tx, "ten_a", "identity", b"ISS", b"1098765"),
    ]
    assert len(set(indexes)) == len(indexes)


def test_one_look_at_the_keys_serves_for_many_indexes(vault: Vault, tx: FakeTransaction) -> None:
    indexes = vault.indexes(tx, "ten_a")
    before = tx.statements
    assert indexes.of("identity", b"x") != indexes.of("identity", b"y")
    assert tx.statements == before


def test_replacing_the_wrapping_key_changes_no_index(vault: Vault, tx: FakeTransaction, source: LocalKeys) -> None:
    before = vault.index(tx, "ten_a", "identity", b"x")
    tx.run("DELETE FROM tenant_keys WHERE purpose = 'wrap'")
    assert Vault(source, now=lambda: 0).index(tx, "ten_a", "identity", b"x") == before
