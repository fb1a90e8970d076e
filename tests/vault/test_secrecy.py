import ast
import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import vault as vault_package
from tests.vault.conftest import KEK
from vault import DataKey, Owner, Vault
from vault.blind_index import IndexKey
from vault.key_cache import KeyCache
from vault.key_material import KeyMaterial
from vault.sources.local import Kek, LocalKeys
from vault.tenant_key import TenantKey

_HOLDERS: list[Any] = [
    DataKey(Owner("ten_a", "user", "usr_1"), 1, KEK),
    TenantKey("tky_1", KEK),
    IndexKey("ten_a", KEK),
    Kek("1", KEK),
    LocalKeys({"1": KEK}, "1"),
    KeyCache(lambda: 0, 1, 1),
    Vault(LocalKeys({"1": KEK}, "1"), now=lambda: 0),
]
_EACH = pytest.mark.parametrize("holder", _HOLDERS, ids=lambda holder: type(holder).__name__)


@_EACH
def test_a_key_holder_prints_as_its_kind_only(holder: Any) -> None:
    kind = f"<{type(holder).__name__}>"
    assert [repr(holder), str(holder), f"{holder}", f"{holder!r}", f"{holder:>1}"] == [kind] * 5


@_EACH
def test_a_key_holder_refuses_to_be_pickled_or_copied(holder: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="holds a key"):
            pickle.dumps(holder, protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a key"):
            duplicate(holder)


@_EACH
def test_a_key_holder_refuses_json_and_shows_no_dictionary(holder: Any) -> None:
    with pytest.raises(TypeError):
        json.dumps(holder)
    with pytest.raises(TypeError):
        vars(holder)


def test_a_holder_without_these_refusals_would_be_pickled_with_its_key() -> None:
    loose = {"key": KEK}
    assert KEK in pickle.dumps(loose)
    assert isinstance(_HOLDERS[0], KeyMaterial)


def _modules() -> list[Path]:
    return sorted(Path(next(iter(vault_package.__path__))).rglob("*.py"))


def test_the_vault_has_no_means_to_log_or_print() -> None:
    for module in _modules():
        tree = ast.parse(module.read_text())
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        called = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not imported & {"logging", "structlog", "warnings", "traceback"}, module
        assert "print" not in called, module


def test_the_vault_imports_nothing_of_the_rest_of_the_house() -> None:
    for module in _modules():
        text = module.read_text()
        assert "import connector" not in text
        assert "from connector" not in text
        assert "providers" not in {
            line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith("from ")
        }
