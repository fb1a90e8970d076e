import base64
import json
from pathlib import Path

import pytest

from tests.clock import ManualClock
from tests.vault.conftest import KEK
from tests.vault.fake_database import FakeTransaction
from vault import FileKeySource, Finding, KeySourceError, Owner, Vault, VaultError, start_checks
from vault.sources import key_file, local
from vault.sources.local import LocalKeys


def _codes(findings: list[Finding]) -> list[str]:
    assert all(finding.sentence.endswith(".") for finding in findings)
    return [finding.code for finding in findings]


def _check(source: LocalKeys, tx: FakeTransaction) -> list[Finding]:
    return Vault(source, now=lambda: 0).check(tx)


def _alter_tenant_key(tx: FakeTransaction, purpose: str) -> None:
    tx.run(
        "UPDATE tenant_keys SET wrapped = CAST(substr(wrapped, 1, length(wrapped) - 16) || zeroblob(16) AS BLOB)"
        " WHERE purpose = :purpose",
        purpose=purpose,
    )


def test_an_empty_database_and_a_sound_one_have_no_findings(source: LocalKeys, tx: FakeTransaction) -> None:
    vault = Vault(source, now=lambda: 0)
    assert vault.check(tx) == []
    vault.create_tenant(tx, "ten_a")
    vault.create_tenant(tx, "ten_b")
    vault.create_key(tx, Owner("ten_a", "user", "usr_1"))
    assert vault.check(tx) == []
    assert _check(source, tx) == []


def test_a_key_that_the_source_lacks_is_named(vault: Vault, tx: FakeTransaction) -> None:
    findings = _check(LocalKeys({"2": KEK}, "2"), tx)
    assert _codes(findings) == ["kek_unknown"]
    assert "local:1" in findings[0].sentence


def test_a_wrong_key_of_the_right_name_is_told_by_its_check_value(vault: Vault, tx: FakeTransaction) -> None:
    findings = _check(LocalKeys({"1": bytes(32)}, "1"), tx)
    assert _codes(findings) == ["kek_mismatch"]
    assert "Put back the key" in findings[0].sentence


def test_a_further_key_beside_the_old_one_does_no_harm(vault: Vault, tx: FakeTransaction) -> None:
    assert _check(LocalKeys({"1": KEK, "2": bytes(32)}, "2"), tx) == []


def test_an_altered_tenant_key_is_found(vault: Vault, tx: FakeTransaction) -> None:
    _alter_tenant_key(tx, "index")
    assert _codes(_check(LocalKeys({"1": KEK}, "1"), tx)) == ["tenant_key_broken"]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("DELETE FROM vault_canaries", "canary_missing"),
        ("UPDATE vault_canaries SET sealed = x'00'", "canary_broken"),
        ("UPDATE vault_canaries SET epoch = 1", "canary_broken"),
        ("UPDATE data_keys SET wrapped = NULL", "canary_broken"),
        ("DELETE FROM data_keys", "canary_broken"),
        ("DELETE FROM tenant_keys WHERE purpose = 'wrap'", "canary_broken"),
        ("DELETE FROM tenant_keys", "tenant_keys_missing"),
    ],
)
def test_each_missing_or_broken_link_of_the_chain_is_found(
    vault: Vault, tx: FakeTransaction, statement: str, code: str
) -> None:
    tx.run(statement)
    assert _codes(vault.check(tx)) == [code]


def test_another_tenants_canary_does_not_open(vault: Vault, tx: FakeTransaction) -> None:
    vault.create_tenant(tx, "ten_b")
    tx.run("UPDATE vault_canaries SET sealed = (SELECT sealed FROM vault_canaries WHERE tenant_id = 'ten_a')")
    findings = vault.check(tx)
    assert _codes(findings) == ["canary_broken"]
    assert "ten_b" in findings[0].sentence


def test_a_check_does_not_trust_what_is_cached(vault: Vault, tx: FakeTransaction) -> None:
    vault.create_key(tx, Owner("ten_a", "user", "usr_1"))
    _alter_tenant_key(tx, "wrap")
    assert vault.key(tx, Owner("ten_a", "user", "usr_1")).epoch == 1
    assert _codes(vault.check(tx)) == ["tenant_key_broken"]


def test_a_key_service_that_is_out_is_one_finding_with_its_remedy(
    vault: Vault, tx: FakeTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out(self: LocalKeys, blob: bytes, context: bytes) -> bytes:
        raise KeySourceError("The key service does not answer.", "Start it.")

    monkeypatch.setattr(LocalKeys, "unwrap", out)
    assert vault.check(tx) == [Finding("key_source", "The key service does not answer. Start it.")]


def test_a_canary_that_opens_to_something_else_is_found(
    vault: Vault, tx: FakeTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_checks, "_CANARY", b"something else")
    findings = vault.check(tx)
    assert _codes(findings) == ["canary_broken"]
    assert "other content" in findings[0].sentence


# Twins: what each check is for ------------------------------------------------------------------------


def test_the_canary_finds_data_keys_of_another_backup_and_without_it_they_are_started_upon(
    vault: Vault, source: LocalKeys, tx: FakeTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.create_key(tx, Owner("ten_a", "user", "usr_1"))
    other = FakeTransaction(tx.now)
    Vault(source, now=lambda: 0).create_tenant(other, "ten_a")
    Vault(source, now=lambda: 0).create_key(other, Owner("ten_a", "user", "usr_1"))
    tx.run("DELETE FROM data_keys")
    for row in other.all("SELECT * FROM data_keys"):
        tx.run(
            "INSERT INTO data_keys VALUES (:tenant_id, :owner_kind, :owner_id, :epoch, :tenant_key_id, :wrapped,"
            " :created_at, :destroyed_at)",
            **row,
        )
    other.connection.close()
    assert _codes(_check(source, tx)) == ["canary_broken"]
    monkeypatch.setattr(start_checks, "_canary_finding", lambda *_: None)
    assert _check(source, tx) == []
    with pytest.raises(VaultError):
        Vault(source, now=lambda: 0).key(tx, Owner("ten_a", "user", "usr_1"))


def test_the_check_value_tells_a_wrong_key_and_without_it_rows_are_blamed(
    vault: Vault, tx: FakeTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = LocalKeys({"1": bytes(32)}, "1")
    assert _codes(_check(wrong, tx)) == ["kek_mismatch"]
    monkeypatch.setattr(local, "compare_digest", lambda *_: True)
    blamed = _check(wrong, tx)
    assert {found.code for found in blamed} == {"tenant_key_broken"}
    assert "restore its row" in blamed[0].sentence  # which would mend nothing


def test_a_key_that_was_altered_in_its_file_is_refused_and_without_the_check_data_is_lost_under_it(
    tx: FakeTransaction, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kek.json"
    FileKeySource.create(path)
    whole = path.read_text()
    document = json.loads(whole)
    key = bytearray(base64.b64decode(document["keys"][0]["key"]))
    key[5] ^= 1
    document["keys"][0]["key"] = base64.b64encode(key).decode()
    path.write_text(json.dumps(document))
    with pytest.raises(KeySourceError, match="check value"):
        FileKeySource(path)
    monkeypatch.setattr(key_file, "compare_digest", lambda *_: True)
    Vault(FileKeySource(path), now=clock.now).create_tenant(tx, "ten_a")
    path.write_text(whole)  # the key as it is kept elsewhere
    assert _codes(_check(FileKeySource(path), tx)) == ["kek_mismatch"]


def test_no_key_is_made_beside_keys_that_do_not_open_and_without_the_refusal_the_loss_is_hidden(
    vault: Vault, tx: FakeTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Vault(LocalKeys({"2": bytes(32)}, "2"), now=lambda: 0)
    with pytest.raises(KeySourceError, match="opens none of its keys"):
        other.create_tenant(tx, "ten_b")
    monkeypatch.setattr(Vault, "_refuse_foreign_database", lambda *_: None)
    other.create_tenant(tx, "ten_b")
    assert other.key(tx, start_checks.canary_owner("ten_b")).epoch == start_checks.SEALS_DEMANDED
