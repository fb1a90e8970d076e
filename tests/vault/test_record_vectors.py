import json
from pathlib import Path
from typing import Any

import pytest

from tests.vault import second_vault
from vault import Address, record

_CASES = json.loads((Path(__file__).parent / "vectors" / "gv1.json").read_text())["records"]


def _address(case: dict[str, Any]) -> Address:
    return Address(case["tenant"], case["owner_kind"], case["owner_id"], case["provider"], case["place"])


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["name"])
def test_the_vault_opens_the_frozen_record(case: dict[str, Any]) -> None:
    opened = record.open_record(
        bytes.fromhex(case["key"]),
        case["epoch"],
        _address(case),
        bytes.fromhex(case["record"]),
        generation=case["generation"],
        tags=bytes.fromhex(case["tags"]),
    )
    assert opened.hex() == case["plaintext"]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["name"])
def test_the_vault_seals_the_frozen_record_when_given_its_salt(case: dict[str, Any]) -> None:
    sealed = record._seal_with_salt(
        bytes.fromhex(case["key"]),
        case["epoch"],
        _address(case),
        bytes.fromhex(case["plaintext"]),
        generation=case["generation"],
        tags=bytes.fromhex(case["tags"]),
        salt=bytes.fromhex(case["salt"]),
    )
    assert sealed.hex() == case["record"]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["name"])
def test_the_second_implementation_agrees_with_the_frozen_record(case: dict[str, Any]) -> None:
    opened = second_vault.open_gv1(case)
    assert opened is not None
    assert opened.hex() == case["plaintext"]
    assert second_vault.seal_gv1(case).hex() == case["record"]


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 200])
def test_the_second_implementation_opens_what_the_vault_seals_today(length: int) -> None:
    case = dict(_CASES[0])
    sealed = record.seal(
        bytes.fromhex(case["key"]), case["epoch"], _address(case), bytes(length), generation=case["generation"]
    )
    assert second_vault.open_gv1({**case, "record": sealed.hex()}) == bytes(length)
