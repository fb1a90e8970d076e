"""Transit: what is refused, what may be done with how little, and faults on the way."""

import datetime as dt
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server

from tests.services.openbao import ROOT, OpenBao
from tests.vault.sources.rigs import TransitRig
from vault import Access, KekUnknown, KeyServiceOut, KeySourceError, TagMismatch, open_source
from vault.sources import guard, transit_http

pytestmark = pytest.mark.loopback

TENANT_KEY = bytes(range(32))


@pytest.fixture
def rig(openbao: OpenBao) -> TransitRig:
    return TransitRig(openbao)


def _open(spec: str, **access: Any) -> Any:
    return open_source(spec, access=Access(**{"token": ROOT, **access}))


# Rights --------------------------------------------------------------------------------------------


def _rules(rig: TransitRig, *verbs: str) -> str:
    acts = [(f"transit/{verb}/{rig.name}", "update") for verb in verbs]
    return rig.bao.token_for((f"transit/keys/{rig.name}", "read"), *acts)


def test_reading_wrapping_unwrapping_and_rewrapping_are_all_the_gateway_needs(rig: TransitRig) -> None:
    source = _open(rig.spec, token=_rules(rig, "encrypt", "decrypt", "rewrap"))
    blob = source.rewrap(source.wrap(TENANT_KEY, b"a"), b"a")
    assert source.unwrap(blob, b"a") == TENANT_KEY
    with pytest.raises(KeySourceError, match="may not change the key") as caught:
        source.add(source.key_id()[:-1] + "2")
    assert "docs/vault.md" in caught.value.mend


def test_who_may_only_rewrap_brings_keys_along_and_never_sees_one(rig: TransitRig) -> None:
    blob = rig.open().wrap(TENANT_KEY, b"a")
    rig.follow()
    blind = _open(rig.spec, token=_rules(rig, "rewrap"))
    renewed = blind.rewrap(blob, b"a")
    with pytest.raises(KeySourceError, match="may not decrypt"):
        blind.unwrap(renewed, b"a")
    rig.take_away()
    assert rig.open().unwrap(renewed, b"a") == TENANT_KEY


@pytest.mark.parametrize("token", ["", "never-issued"])
def test_a_token_that_is_none_is_refused_with_what_to_do(rig: TransitRig, token: str) -> None:
    with pytest.raises(KeySourceError, match=r"may not read the key|run out") as caught:
        _open(rig.spec, token=token).key_id()
    assert token not in str(caught.value) or not token


def test_a_token_that_an_agent_renews_is_read_when_it_is_needed(rig: TransitRig, tmp_path: Path) -> None:
    sink = tmp_path / "token"
    sink.touch(mode=0o600)
    sink.write_text("an-old-one")
    source = _open(rig.spec, token=None, token_file=sink)
    with pytest.raises(KeySourceError):
        source.key_id()
    sink.write_text(f"{ROOT}\n")
    assert source.unwrap(source.wrap(TENANT_KEY, b"a"), b"a") == TENANT_KEY
    sink.chmod(0o644)
    with pytest.raises(KeySourceError, match="open to users"):
        source.wrap(TENANT_KEY, b"a")


def test_a_token_and_a_file_with_one_are_one_too_many(rig: TransitRig, tmp_path: Path) -> None:
    with pytest.raises(KeySourceError, match="Both"):
        _open(rig.spec, token_file=tmp_path / "token")


# Keys ----------------------------------------------------------------------------------------------


def test_a_key_that_is_not_there_is_never_made(openbao: OpenBao) -> None:
    source = _open(f"transit:{openbao.address}/transit/never-made")
    for act in (source.key_id, lambda: source.wrap(TENANT_KEY, b"a")):
        with pytest.raises(KekUnknown, match="no Transit key"):
            act()
    with pytest.raises(HTTPError, match="404"):
        openbao.ask("GET", "transit/keys/never-made")


@pytest.mark.parametrize(
    "kind",
    [
        {"derived": False},
        {"exportable": True},
        {"allow_plaintext_backup": True},
        {"convergent_encryption": True},
        {"type": "rsa-2048", "derived": False},
        {"type": "aes128-gcm96"},
    ],
)
def test_a_key_that_binds_nothing_or_may_leave_is_refused(openbao: OpenBao, kind: dict[str, Any]) -> None:
    spec = openbao.make_key("unfit-" + "-".join(f"{name}-{value}" for name, value in kind.items()).lower(), **kind)
    with pytest.raises(KeySourceError, match=r"not of a fitting kind|may be exported") as caught:
        _open(spec).key_id()
    assert "Make one" in caught.value.mend


def test_only_the_next_version_can_be_added(rig: TransitRig) -> None:
    source = rig.open()
    with pytest.raises(KeySourceError, match="next version"):
        source.add(source.key_id()[:-1] + "7")
    with pytest.raises(KekUnknown):
        source.add("transit:elsewhere/key:2")


def test_a_wrap_moved_to_another_key_of_the_same_engine_does_not_open(rig: TransitRig, openbao: OpenBao) -> None:
    blob = rig.open().wrap(TENANT_KEY, b"a")
    other = TransitRig(openbao)
    moved = blob.replace(rig.name.encode(), other.name.encode())
    with pytest.raises(KeySourceError):
        other.open().unwrap(moved, b"a")  # the check value is of the other key's making


# Addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://bao.example/transit/key",
        "ftp://bao.example/transit/key",
        "https://bao.example",
        "https://bao.example/transit",
        "https://bao.example/transit/key?x=1",
        "https://user@bao.example/transit/key",
        "https://bao.example/transit/../sys/key",
        "https://bao.example:port/transit/key",
        "bao.example/transit/key",
        "https:///transit/key",
    ],
)
def test_an_address_that_is_none_or_not_private_is_refused(address: str) -> None:
    with pytest.raises(KeySourceError) as caught:
        _open(f"transit:{address}")
    assert "https://HOST:PORT/MOUNT/KEY" in caught.value.mend


# Faults on the way ---------------------------------------------------------------------------------


def _answering(status: str, body: bytes, **headers: str) -> Callable[..., Iterable[bytes]]:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, list(headers.items()))
        return [body]

    return app


@pytest.mark.parametrize(
    "status", ["429 X", "472 X", "473 X", "500 X", "502 X", "503 X"], ids=lambda status: status[:3]
)
def test_a_server_that_is_not_fit_is_out_and_not_refusing(loopback_server: Callable[..., str], status: str) -> None:
    address = loopback_server(_answering(status, b'{"errors":["Vault is sealed"]}'))
    with pytest.raises(KeyServiceOut, match=f"status {status[:3]}"):
        _open(f"transit:{address}/transit/key").key_id()


@pytest.mark.parametrize(
    ("status", "body"),
    [("200 OK", b"<html>hello"), ("200 OK", b"[]"), ("200 OK", b'{"data":{}}'), ("307 X", b"moved"), ("404 X", b"no")],
)
def test_what_is_no_key_service_is_told_as_such(loopback_server: Callable[..., str], status: str, body: bytes) -> None:
    address = loopback_server(_answering(status, body, Location="http://127.0.0.1:9/"))
    with pytest.raises(KeySourceError) as caught:
        _open(f"transit:{address}/transit/key").key_id()
    assert not isinstance(caught.value, KeyServiceOut)
    assert caught.value.mend


def test_too_long_an_answer_is_cut_off(loopback_server: Callable[..., str]) -> None:
    address = loopback_server(_answering("200 OK", b"x" * 100_000))
    with pytest.raises(KeyServiceOut):
        _open(f"transit:{address}/transit/key").key_id()


def test_silence_is_waited_for_twice_and_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert guard.TIMEOUT_S == 2.0
    http = transit_http.TransitHttp
    monkeypatch.setattr(http.__init__, "__kwdefaults__", {**http.__init__.__kwdefaults__, "timeout_s": 0.2})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(KeyServiceOut, match="Timeout"):
            _open(f"transit:http://127.0.0.1:{silent.getsockname()[1]}/transit/key").key_id()
        assert 0.4 <= time.monotonic() - began < 10


def test_a_service_that_dies_is_told_and_its_keys_come_with_no_other(
    own_openbao: tuple[OpenBao, subprocess.Popen[bytes]],
) -> None:
    bao, process = own_openbao
    rig = TransitRig(bao)
    source = rig.open()
    blob = source.wrap(TENANT_KEY, b"a")
    process.terminate()
    process.wait(15)
    with pytest.raises(KeyServiceOut, match=r"ConnectionRefused|RemoteDisconnected|ConnectionReset"):
        source.unwrap(blob, b"a")
    assert not source.health().ok


def test_an_altered_answer_is_never_taken_for_a_key(rig: TransitRig) -> None:
    source = rig.open()
    blob = source.wrap(TENANT_KEY[:16], b"a")  # not a key's length
    with pytest.raises(KeySourceError, match="no key"):
        source.unwrap(blob, b"a")


# Certificates --------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


@pytest.fixture
def over_tls(certificate: tuple[Path, Path]) -> Iterator[str]:
    app = _answering("403 X", b'{"errors":["permission denied"]}')
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=(str(certificate[0]), str(certificate[1])))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"transit:https://localhost:{server.server_port}/transit/key"
    server.shutdown()
    thread.join(5)
    server.server_close()


def test_a_certificate_is_trusted_by_the_file_that_is_named_and_by_nothing_less(
    over_tls: str, certificate: tuple[Path, Path]
) -> None:
    with pytest.raises(KeySourceError, match="certificate"):
        _open(over_tls).key_id()
    with pytest.raises(KeySourceError, match="may not read the key"):
        _open(over_tls, ca_file=certificate[0]).key_id()
    with pytest.raises(KeySourceError, match="no certificates"):
        _open(over_tls, ca_file=certificate[1])


def test_the_context_keeps_tenants_apart_and_without_it_one_tenants_key_serves_another(
    rig: TransitRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = rig.open().wrap(TENANT_KEY, b"tenant ten_victim")
    with pytest.raises(TagMismatch):
        rig.open().unwrap(blob, b"tenant ten_attacker")
    monkeypatch.setattr("vault.sources.remote._bound", lambda _: b"nothing")
    blob = rig.open().wrap(TENANT_KEY, b"tenant ten_victim")
    assert rig.open().unwrap(blob, b"tenant ten_attacker") == TENANT_KEY
