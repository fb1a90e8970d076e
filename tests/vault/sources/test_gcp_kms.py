"""Google Cloud KMS: sums both ways, versions, refusals. The official client against a strict stand-in."""

from typing import Any

import pytest

from tests.standins import google_kms
from tests.vault.sources.rigs import GoogleRig
from vault import KekUnknown, KeyServiceOut, KeySourceError, TagMismatch, open_source
from vault.sources.gcp_kms import GcpKmsKeySource
from vault.sources.guard import Guard

pytestmark = pytest.mark.loopback

TENANT_KEY = bytes(range(32))
CONTEXT = b"tenant ten_a"


def test_a_bit_that_flips_in_the_answer_to_a_wrap_is_noticed_before_anything_is_stored(google: GoogleRig) -> None:
    source = google.open()
    google.service.bent = {"ciphertext"}
    with pytest.raises(KeyServiceOut, match="sum"):
        source.wrap(TENANT_KEY, CONTEXT)
    google.service.bent = set()
    assert source.unwrap(source.wrap(TENANT_KEY, CONTEXT), CONTEXT) == TENANT_KEY


def test_a_bit_that_flips_in_the_answer_to_an_unwrap_is_noticed(google: GoogleRig) -> None:
    source = google.open()
    blob = source.wrap(TENANT_KEY, CONTEXT)
    google.service.bent = {"plaintext"}
    with pytest.raises(KeyServiceOut, match="sum"):
        source.unwrap(blob, CONTEXT)


def test_a_service_that_compared_no_sums_is_not_believed(google: GoogleRig) -> None:
    google.service.unverified = True
    with pytest.raises(KeyServiceOut, match="sum"):
        google.open().wrap(TENANT_KEY, CONTEXT)


def test_without_the_sums_a_key_is_stored_that_nobody_can_open(
    google: GoogleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = google.open()

    class Anything(int):
        def __eq__(self, other: object) -> bool:
            return True

        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = int.__hash__

    real = source._sum  # type: ignore[attr-defined]
    monkeypatch.setattr(source, "_sum", lambda data: Anything(real(data)))
    google.service.bent = {"ciphertext"}
    blob = source.wrap(TENANT_KEY, CONTEXT)
    google.service.bent = set()
    with pytest.raises((TagMismatch, KeySourceError)):
        source.unwrap(blob, CONTEXT)


def test_wrong_sums_on_the_way_there_are_refused_by_the_service(
    google: GoogleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = google.open()
    source.key_id()
    monkeypatch.setattr(source, "_sum", lambda _: 1)
    with pytest.raises(KeySourceError, match="INVALID_ARGUMENT"):
        source.wrap(TENANT_KEY, CONTEXT)


def test_a_version_that_was_disabled_meanwhile_is_told_from_an_altered_wrap(google: GoogleRig) -> None:
    source = google.open()
    blob = source.wrap(TENANT_KEY, CONTEXT)
    google.service.versions[1].state = 2
    with pytest.raises(KeySourceError, match="not in use"):
        source.unwrap(blob, CONTEXT)
    with pytest.raises(KeySourceError, match="no primary version in use"):
        google.open().key_id()


def test_a_version_that_became_primary_a_moment_ago_is_named_rightly(google: GoogleRig) -> None:
    source = google.open()
    first = source.key_id()
    google.follow()
    blob = source.wrap(TENANT_KEY, CONTEXT)
    assert first.encode() + b":2" not in blob
    assert first.replace(":1", ":2").encode() in blob
    assert source.unwrap(blob, CONTEXT) == TENANT_KEY


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ((403, "PERMISSION_DENIED"), KeySourceError, "refuses"),
        ((401, "UNAUTHENTICATED"), KeySourceError, "credentials"),
        ((404, "NOT_FOUND"), KekUnknown, "no such key"),
        ((429, "RESOURCE_EXHAUSTED"), KeyServiceOut, "429"),
        ((500, "INTERNAL"), KeyServiceOut, "500"),
        ((503, "UNAVAILABLE"), KeyServiceOut, "503"),
    ],
)
def test_what_passes_is_an_outage_and_what_does_not_is_told(
    google: GoogleRig, status: tuple[int, str], error: type[KeySourceError], words: str
) -> None:
    google.service.status = status
    with pytest.raises(error, match=words) as caught:
        google.open().key_id()
    assert type(caught.value) is error
    assert len(google.service.asked) == (2 if error is KeyServiceOut else 1)


def test_an_address_where_nobody_answers_is_an_outage() -> None:
    source = GcpKmsKeySource(google_kms.client("http://127.0.0.1:9"), google_kms.KEY, Guard("Google Cloud KMS"))
    with pytest.raises(KeyServiceOut, match="ConnectionError"):
        source.key_id()


@pytest.mark.parametrize("name", ["gateway", "projects/p/cryptoKeys/k", f"{google_kms.KEY}/cryptoKeyVersions/1"])
def test_a_key_is_named_by_its_whole_path_without_a_version(name: str) -> None:
    with pytest.raises(KeySourceError, match="whole path"):
        open_source(f"gcp-kms:{name}")


def test_no_credentials_are_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(KeySourceError, match="no usable credentials") as caught:
        open_source(f"gcp-kms:{google_kms.KEY}")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.mend
