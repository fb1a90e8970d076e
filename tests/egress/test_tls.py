from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from providers.exchange import NetworkFailure, get, post_form
from tests.standins.hostile import Hostile, answer, hostile

pytestmark = pytest.mark.loopback


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for one name, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path, "provider.localhost")


@pytest.fixture
def names() -> list[str]:
    """What names the client asked for by SNI."""
    return []


@pytest.fixture
def server(pem: Path, names: list[str]) -> Iterator[Hostile]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    with hostile(answer(), tls=context) as served:
        yield served


def resolve(*_: object):
    return (ip_address("127.0.0.1"),)


def test_the_name_is_kept_for_sni_certificate_and_host_although_the_address_is_pinned(
    make_egress, server, pem, names
) -> None:
    egress = make_egress(ca_bundle=pem, resolve=resolve)
    for _ in range(3):
        assert egress.send(get(f"https://provider.localhost:{server.port}/"), provider="p").status == 200
    assert names == ["provider.localhost"]
    assert server.connections == 1
    assert f"Host: provider.localhost:{server.port}".encode() in server.requests[0]


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_for_another_name_or_of_nobody_known_ends_before_anything_leaves(
    make_egress, server, pem, trusted: bool
) -> None:
    egress = make_egress(ca_bundle=pem if trusted else None, resolve=resolve)
    name = "other.localhost" if trusted else "provider.localhost"
    with pytest.raises(NetworkFailure) as raised:
        egress.send(post_form(f"https://{name}:{server.port}/", {"code": "c"}), provider="p")
    assert (raised.value.sent, raised.value.code) == ("no", "tls_failed")
    assert server.requests == []


def test_a_server_that_speaks_no_tls_gets_nothing(make_egress) -> None:
    with hostile(lambda conn: conn.close()) as plain:
        request = post_form(f"https://provider.localhost:{plain.port}/", {"code": "sesame"})
        with pytest.raises(NetworkFailure) as raised:
            make_egress(resolve=resolve, deadline_s=0.5).send(request, provider="p")
    assert raised.value.sent == "no"
    assert all(b"sesame" not in request for request in plain.requests)


def test_the_environment_names_no_roots(make_egress, server, pem, monkeypatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(pem))
    with pytest.raises(NetworkFailure, match="tls_failed"):
        make_egress(resolve=resolve).send(get(f"https://provider.localhost:{server.port}/"), provider="p")
