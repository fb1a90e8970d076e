"""Settings of the vault: which key sources may be named, where their files lie, and what stops the start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.app import key_access, key_source
from connector.model.errors import Misconfigured
from connector.settings import Settings, load
from vault.sources.access import token_of

ARN = "aws-kms:arn:aws:kms:eu-west-1:123456789012:key/1"


def _load(
    folder: Path, /, *, key_needed: bool = False, environ: dict[str, str] | None = None, **vault: Any
) -> Settings:
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in vault.items())
    (folder / "connector.toml").write_text(f'[server]\nmode = "development"\n[vault]\n{lines}\n')
    return load(environ=environ or {}, directory=folder, key_needed=key_needed)


@pytest.mark.parametrize(
    "kek",
    [
        "file:kek.json",
        "env:KEK",
        "transit:https://bao.example:8200/transit/connector",
        ARN,
        "gcp-kms:projects/p/locations/l/keyRings/r/cryptoKeys/k",
    ],
)
def test_every_kind_of_key_source_can_be_named(tmp_path: Path, kek: str) -> None:
    assert _load(tmp_path, kek=kek).vault.kek.startswith(kek.partition(":")[0])


@pytest.mark.parametrize("kek", ["aws-kms:", "kms:x", "vault:x", "AAECAwQFBgc="])
def test_another_kind_is_refused_without_being_shown(tmp_path: Path, kek: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        _load(tmp_path, kek=kek)
    assert "transit:https://HOST:PORT/MOUNT/KEY" in caught.value.hint
    assert "AAECAwQFBgc" not in caught.value.hint


def test_files_lie_beside_the_settings_and_services_where_they_are(tmp_path: Path) -> None:
    also = ["file:old/kek.json", ARN]
    vault = _load(tmp_path, kek="file:kek.json", also_opens=also, token_file="token", ca_file="/etc/ca.pem").vault
    assert list(vault.sources()) == [f"file:{tmp_path}/kek.json", f"file:{tmp_path}/old/kek.json", ARN]
    assert (vault.token_file, vault.ca_file) == (tmp_path / "token", Path("/etc/ca.pem"))


@pytest.mark.parametrize(
    ("vault", "words"),
    [
        ({"kek": ARN, "also_opens": [ARN]}, "twice"),
        ({"kek": "env:A", "also_opens": ["env:B", "env:B"]}, "twice"),
        ({"kek": "env:A", "also_opens": ["nothing"]}, "also_opens"),
        ({"token": "t", "token_file": "f"}, "not both"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, vault: dict[str, Any], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        _load(tmp_path, **vault)


def test_secrets_come_from_files_and_are_shown_nowhere(tmp_path: Path) -> None:
    for name in ("passphrase", "token"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(f"secret-{name}\n")
    environ = {f"CONNECTOR_VAULT__{name.upper()}_FILE": str(tmp_path / name) for name in ("passphrase", "token")}
    settings = _load(tmp_path, environ=environ)
    access = key_access(settings)
    assert access.passphrase == b"secret-passphrase"
    assert token_of(access)() == "secret-token"  # a setting of its own: what an agent renews is read when it is needed
    assert "secret-" not in f"{settings!r} {settings} {access!r} {access}"


def test_a_list_of_sources_may_come_from_the_environment(tmp_path: Path) -> None:
    settings = _load(tmp_path, environ={"CONNECTOR_VAULT__ALSO_OPENS": f"env:OLD, {ARN}"})
    assert settings.vault.also_opens == ("env:OLD", ARN)


def test_a_start_looks_for_the_keys_that_only_open_too(tmp_path: Path) -> None:
    environ = {"KEK": "1:x"}
    with pytest.raises(Misconfigured, match=r"also_opens names .*gone.json, which is no file"):
        _load(tmp_path, key_needed=True, environ=environ, kek="env:KEK", also_opens=["file:gone.json"])
    with pytest.raises(Misconfigured, match="also_opens names the variable OLD"):
        _load(tmp_path, key_needed=True, environ=environ, kek="env:KEK", also_opens=["env:OLD"])


def test_a_variable_may_be_a_file(tmp_path: Path) -> None:
    assert _load(tmp_path, key_needed=True, environ={"KEK_FILE": "/run/kek"}, kek="env:KEK").vault.kek == "env:KEK"


def test_a_source_that_cannot_be_opened_says_how_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="by its own ARN"):
        key_source(_load(tmp_path, kek="aws-kms:alias/mine"))


def test_two_different_keys_of_one_name_are_not_opened_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLD", "1:" + "A" * 43 + "=")
    monkeypatch.setenv("NEW", "1:" + "B" * 43 + "=")
    with pytest.raises(Misconfigured, match="different keys named 1"):
        key_source(_load(tmp_path, kek="env:NEW", also_opens=["env:OLD"]))
    monkeypatch.setenv("NEW", "1:" + "A" * 43 + "=")
    assert key_source(_load(tmp_path, kek="env:NEW", also_opens=["env:OLD"])).key_ids() == {"local:1"}
