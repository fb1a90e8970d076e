"""What of Facebook's signed requests is taken, and what is not."""

from __future__ import annotations

import base64
import hmac
import json
from urllib.parse import urlencode

import pytest

from providers.capabilities import Registration, SignalRequest
from providers.errors import ProviderError
from providers.facebook import Facebook
from providers.secret import Secret
from tests.standins.facebook import APP_ID, APP_SECRET, signed_request

NOW = 1_795_000_000_000
REGISTRATION = Registration(APP_ID, Secret(APP_SECRET), "https://app.example/callback")
PAYLOAD = {"algorithm": "HMAC-SHA256", "issued_at": NOW // 1000 - 60, "user_id": "10158000000000001", "expires": 0}


def read(body: bytes, kind: str = "facebook-deauthorize"):
    return Facebook().signal(REGISTRATION, SignalRequest(kind, {}, body), now=NOW)


def refused(body: bytes, kind: str = "facebook-deauthorize") -> str:
    with pytest.raises(ProviderError) as caught:
        read(body, kind)
    assert caught.value.kind == "mismatch"
    return caught.value.code


def test_a_deauthorisation_names_the_account_and_its_moment():
    signal = read(signed_request(PAYLOAD))

    assert (signal.means, signal.issuer) == ("deauthorized", "https://www.facebook.com")
    assert signal.subject == "10158000000000001"
    assert signal.issued_at == PAYLOAD["issued_at"] * 1000


def test_a_data_deletion_is_told_apart_by_where_it_came_to():
    assert read(signed_request(PAYLOAD), "facebook-data-deletion").means == "delete_data"


def test_the_same_request_again_has_the_same_id_and_another_kind_another():
    body = signed_request(PAYLOAD)

    assert read(body).signal_id == read(body).signal_id
    assert read(body).signal_id != read(body, "facebook-data-deletion").signal_id
    assert read(body).signal_id != read(signed_request({**PAYLOAD, "user_id": "2"})).signal_id


def test_another_apps_secret_signs_nothing_here():
    assert refused(signed_request(PAYLOAD, "another-secret")) == "signature"


def test_a_changed_payload_is_refused():
    signature = signed_request(PAYLOAD).decode().removeprefix("signed_request=").split(".")[0]
    other = base64.urlsafe_b64encode(json.dumps({**PAYLOAD, "user_id": "2"}).encode()).rstrip(b"=").decode()

    assert refused(urlencode({"signed_request": f"{signature}.{other}"}).encode()) == "signature"


def test_without_the_comparison_the_changed_payload_would_pass(monkeypatch):
    monkeypatch.setattr(hmac, "compare_digest", lambda _one, _other: True)

    assert read(signed_request({**PAYLOAD, "user_id": "2"}, "another-secret")).subject == "2"


@pytest.mark.parametrize("algorithm", ["none", "HMAC-SHA1", "hmac-sha256", "", None])
def test_the_algorithm_is_not_the_payloads_to_say(algorithm):
    assert refused(signed_request({**PAYLOAD, "algorithm": algorithm})) == "algorithm"


@pytest.mark.parametrize("seconds", [-86_401, 301])
def test_a_request_outside_its_day_is_refused(seconds):
    assert refused(signed_request({**PAYLOAD, "issued_at": NOW // 1000 + seconds})) == "issued_at"


@pytest.mark.parametrize("value", [None, "1795000000", True, 1.5])
def test_a_moment_that_is_no_number_is_refused(value):
    assert refused(signed_request({**PAYLOAD, "issued_at": value})) == "issued_at"


@pytest.mark.parametrize("user_id", [None, "", 12, "12x", ["1"]])
def test_a_request_about_nobody_is_refused(user_id):
    assert refused(signed_request({**PAYLOAD, "user_id": user_id})) == "user_id"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"signed_request=",
        b"signed_request=.",
        b"signed_request=abc",
        b"signed_request=a.b.c",
        b"signed_request=%ff.%ff",
        b"signed_request=\xff.\xff",
        b"signed_request=aaaa.bbbb&signed_request=aaaa.bbbb",
        b"x=" + b"y" * 20_000,
    ],
)
def test_what_is_no_signed_request_is_refused(body):
    assert refused(body) in {"signed_request", "signature"}


def test_a_kind_that_nobody_knows_is_refused():
    assert refused(signed_request(PAYLOAD), "facebook-other") == "unknown_kind"


@pytest.mark.parametrize("extra", ["", "x", "xx", "xxx"])
def test_payloads_of_every_length_are_padded_again(extra):
    assert read(signed_request({**PAYLOAD, "pad": extra})).subject == PAYLOAD["user_id"]
