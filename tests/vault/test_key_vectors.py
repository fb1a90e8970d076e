import json
from pathlib import Path
from typing import Any

from tests.vault import second_vault
from vault import DataKey, Field, Owner
from vault.blind_index import IndexKey
from vault.sources import key_file, remote
from vault.sources.local import LocalKeys
from vault.tables import TenantKeyRow, tenant_key_context
from vault.tenant_key import TenantKey

_VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "keys.json").read_text())


def _owner(case: dict[str, Any]) -> Owner:
    return Owner(case["tenant"], case["owner_kind"], case["owner_id"])


def _data_key(case: dict[str, Any]) -> DataKey:
    return DataKey(_owner(case), case["epoch"], bytes.fromhex(case["key"]))


def _field(field: dict[str, Any]) -> Field:
    if "null" in field:
        return None
    if "bytes" in field:
        return bytes.fromhex(field["bytes"])
    value: Field = field.get("str", field.get("int"))
    return value


def test_the_frozen_wrapped_data_key_unwraps() -> None:
    case = _VECTORS["data_key"]
    tenant_key = TenantKey(case["tenant_key_id"], bytes.fromhex(case["tenant_key"]))
    unwrapped = tenant_key.unwrap(_owner(case), case["epoch"], bytes.fromhex(case["wrapped"]))
    assert unwrapped.hex() == case["data_key"]
    assert second_vault.unwrap_data_key(case) == unwrapped


def test_the_frozen_wrapped_tenant_key_unwraps() -> None:
    case = _VECTORS["tenant_key"]
    source = LocalKeys({case["kek_name"]: bytes.fromhex(case["kek"])}, case["kek_name"])
    context = tenant_key_context(
        TenantKeyRow(case["tenant_key_id"], case["tenant"], case["purpose"], source.key_id(), b"")
    )
    assert source.unwrap(bytes.fromhex(case["wrapped"]), context).hex() == case["tenant_key"]
    assert source.check_value().hex() == case["check_value"]
    unwrapped = second_vault.unwrap_tenant_key(case)
    assert unwrapped is not None
    assert unwrapped.hex() == case["tenant_key"]


def test_the_frozen_row_seal_holds() -> None:
    case = _VECTORS["row_seal"]
    fields = [_field(field) for field in case["fields"]]
    assert _data_key(case).seal_row(case["table"], fields).hex() == case["seal"]
    _data_key(case).check_row(case["table"], fields, bytes.fromhex(case["seal"]))
    assert second_vault.row_seal(case).hex() == case["seal"]


def test_the_frozen_mac_is_the_same() -> None:
    case = _VECTORS["mac"]
    parts = [bytes.fromhex(part) for part in case["parts"]]
    assert _data_key(case).mac(case["purpose"], *parts).hex() == case["mac"]
    assert second_vault.purpose_mac(case).hex() == case["mac"]


def test_the_frozen_blind_index_is_the_same() -> None:
    case = _VECTORS["blind_index"]
    parts = tuple(bytes.fromhex(part) for part in case["parts"])
    assert IndexKey(case["tenant"], bytes.fromhex(case["key"])).index(case["purpose"], parts).hex() == case["index"]
    assert second_vault.blind_index(case).hex() == case["index"]


def test_the_frozen_wrap_of_a_key_service_is_read_and_its_context_is_bound_as_it_was() -> None:
    case = _VECTORS["service_wrap"]
    wrapped = remote.parsed(bytes.fromhex(case["wrapped"]))
    assert (wrapped.key_id, wrapped.check.hex(), wrapped.sealed.hex()) == (
        case["kek_id"],
        case["check_value"],
        case["sealed"],
    )
    assert remote.check_of(case["kek_id"], case["made_at"]) == wrapped.check
    row = TenantKeyRow(case["tenant_key_id"], case["tenant"], case["purpose"], case["kek_id"], b"")
    stored, bound = second_vault.service_wrap(case)
    assert remote._bound(tenant_key_context(row)) == bound == bytes.fromhex(case["bound"])
    assert stored.hex() == case["wrapped"]


def test_the_frozen_key_file_opens_with_its_passphrase() -> None:
    case = _VECTORS["key_file"]
    opened = key_file.load(json.dumps(case["file"]).encode(), case["passphrase"].encode())
    assert {name: key.hex() for name, key in opened.keys.items()} == case["keys"]
    assert second_vault.keys_of_file(case) == opened.keys
