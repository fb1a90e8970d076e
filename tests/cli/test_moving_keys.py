"""Keys that move from one source to another, and commands whose key lies at a service."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Desk, run
from tests.connected import Linked
from tests.gateways import signing_keys
from tests.services.aws import Aws, aws  # noqa: F401  a fixture
from tests.services.openbao import ROOT, OpenBao
from tests.standins import google_kms
from tests.standins.google_kms import GoogleKms
from tests.vault.sources.rigs import GoogleRig
from vault.sources import key_file

pytestmark = pytest.mark.loopback


@pytest.fixture(params=["transit", "aws-kms", "gcp-kms"])
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key at a service, as settings name it; this process has what it takes to ask there."""
    if request.param == "transit":
        monkeypatch.setenv("CONNECTOR_VAULT__TOKEN", ROOT)
        bao: OpenBao = request.getfixturevalue("openbao")
        return bao.make_key("moving-" + os.urandom(6).hex())
    if request.param == "aws-kms":
        served: Aws = request.getfixturevalue("aws")
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", served.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        return f"aws-kms:{served.make_key()}"
    google = GoogleKms()
    rig = GoogleRig(google, request.getfixturevalue("loopback_server")(google))
    monkeypatch.setattr("vault.sources.open_gcp_kms", lambda _: rig.open())
    return f"gcp-kms:{google_kms.KEY}"


def _keys(desk: Desk, town: Linked, kek: str, *also: str) -> None:
    desk.config.write_text(
        f'[server]\nmode = "development"\n[database]\nurl = "{town.store.url}"\n'
        f"[vault]\nkek = {json.dumps(kek)}\nalso_opens = {json.dumps(also)}\n"
    )


def _under(desk: Desk) -> set[str]:
    status = desk.json("vault", "status")
    assert status["ok"]
    return {key_id.partition(":")[0] for key_id in status["tenant_keys"]}


def test_everything_moves_from_the_key_file_to_a_service_and_back(desk: Desk, town: Linked, service: str) -> None:
    kind, file = service.partition(":")[0], f"file:{desk.folder / 'kek.json'}"
    refused = desk.run("vault", "rotate", "--to", service)
    assert (refused.exit_code, "vault.also_opens = [" in refused.stderr) == (2, True)
    _keys(desk, town, file, service)
    refused = desk.run("vault", "rotate", "--to", service)
    assert (refused.exit_code, "restart every process" in refused.stderr) == (2, True)
    assert _under(desk) == {"local"}

    _keys(desk, town, service, file)
    moved = desk.run("vault", "rotate", "--to", service)
    assert moved.exit_code == 0, moved.output
    assert f"Nothing needs {file} any more" in moved.stdout
    (desk.folder / "kek.json").rename(desk.folder / "kept-for-backups.json")
    _keys(desk, town, service)
    assert _under(desk) == {kind}
    checks = {one["name"]: one for one in desk.json("doctor", exit_code=1)["checks"]}  # its provider is a pretend one
    assert (checks["key service"]["status"], checks["keys"]["status"]) == ("ok", "ok")
    assert kind in checks["key service"]["words"]

    (desk.folder / "kept-for-backups.json").rename(desk.folder / "kek.json")
    _keys(desk, town, file, service)
    assert desk.json("vault", "rotate", "--to", "file:kek.json")[0]["finished"]
    assert _under(desk) == {"local"}


def test_a_service_rotates_as_a_file_does(desk: Desk, town: Linked, service: str) -> None:
    file = f"file:{desk.folder / 'kek.json'}"
    _keys(desk, town, service, file)
    first = desk.json("vault", "rotate")[0]
    assert (first["finished"], first["failed"]) == (True, 0)
    assert _under(desk) == {service.partition(":")[0]}
    _keys(desk, town, service)
    again = desk.run("vault", "rotate", "--json")
    if service.startswith("aws-kms:"):
        assert (again.exit_code, "AWS turns the material" in again.stderr) == (2, True)
        return
    second = json.loads(again.stdout)[0]
    assert int(second["to"].rpartition(":")[2]) == int(first["to"].rpartition(":")[2]) + 1
    assert set(desk.json("vault", "status")["tenant_keys"]) == {second["to"]}
    assert desk.run("vault", "rotate", "--forget", first["to"], "--yes").exit_code == 0


def test_from_one_aws_key_to_another(
    desk: Desk,
    town: Linked,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served: Aws = request.getfixturevalue("aws")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", served.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    old, new = f"aws-kms:{served.make_key()}", f"aws-kms:{served.make_key()}"
    _keys(desk, town, old, f"file:{desk.folder / 'kek.json'}")
    desk.json("vault", "rotate")
    _keys(desk, town, new, old)
    assert desk.json("vault", "rotate", "--to", new)[0]["to"] == new
    _keys(desk, town, new)
    assert set(desk.json("vault", "status")["tenant_keys"]) == {new}


def test_a_service_that_is_out_stops_the_start_with_one_sentence_and_changes_nothing(desk: Desk, town: Linked) -> None:
    _keys(desk, town, "transit:http://127.0.0.1:9/transit/gone", f"file:{desk.folder / 'kek.json'}")
    with town.store.read() as tx:
        before = tx.all("SELECT * FROM tenant_keys ORDER BY id")
    for command in (("tenants", "add", "other"), ("vault", "rotate")):
        done = desk.run(*command)
        assert (done.exit_code, "does not answer" in done.stderr) == (1, True), done.output
    checks = {one["name"]: one for one in desk.json("doctor", exit_code=1)["checks"]}
    assert checks["key service"]["status"] == "fail"
    assert "See that it runs" in checks["key service"]["mend"]
    assert checks["database"]["status"] == "ok"
    with town.store.read() as tx:
        assert tx.all("SELECT * FROM tenant_keys ORDER BY id") == before


def test_a_source_that_nothing_needs_is_a_warning(desk: Desk, town: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARE", "spare:" + "A" * 43 + "=")
    _keys(desk, town, f"file:{desk.folder / 'kek.json'}", "env:SPARE")
    warned = [one for one in desk.json("doctor", exit_code=1)["checks"] if one["name"] == "key sources"]
    assert [one["status"] for one in warned] == ["warn"]
    assert "env:SPARE" in warned[0]["words"]


# A passphrase --------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setattr(key_file, "_SCRYPT", {"n": 1 << 14, "r": 8, "p": 1})
    return lambda words: monkeypatch.setenv("CONNECTOR_VAULT__PASSPHRASE_FILE", words)


def test_a_passphrase_from_a_file_protects_the_key_from_its_next_writing_on(
    desk: Desk, quick: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(desk.file("passphrase", "correct horse battery\n"))
    assert desk.json("vault", "rotate")[0]["finished"]
    document = json.loads((desk.folder / "kek.json").read_text())
    assert document["scrypt"].keys() == {"salt", "n", "r", "p"}
    assert desk.json("vault", "status")["ok"]

    quick(desk.file("passphrase", "wrong\n"))
    done = desk.run("vault", "status")
    assert (done.exit_code, "does not open the key" in done.stderr) == (1, True)
    assert "wrong" not in done.output
    monkeypatch.delenv("CONNECTOR_VAULT__PASSPHRASE_FILE")
    done = desk.run("vault", "status")
    assert (done.exit_code, "vault.passphrase" in done.stderr) == (1, True)


def test_init_makes_a_protected_key_where_a_passphrase_is_set(
    tmp_path: Path, quick: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.cli.init.generate_signing_keys", signing_keys)
    monkeypatch.setenv("CONNECTOR_VAULT__PASSPHRASE", "correct horse")
    done = run("init", "here")
    assert done.exit_code == 0, done.output
    assert "scrypt" in json.loads((tmp_path / "here" / "keys" / "kek.json").read_text())


def test_init_takes_a_key_at_a_service_as_it_is_and_makes_none(
    tmp_path: Path, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.cli.init.generate_signing_keys", signing_keys)
    monkeypatch.setenv("CONNECTOR_VAULT__KEK", service)
    done = run("init", "here", "--json")
    assert done.exit_code == 0, done.output
    key = next(one for one in json.loads(done.stdout)["steps"] if one["what"] == "key")
    assert (key["made"], service.partition(":")[0] in key["where"]) == (False, True)
    assert not (tmp_path / "here" / "keys").exists()
