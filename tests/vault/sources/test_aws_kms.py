"""AWS KMS: what leaves, what is refused, and what is asked again. Botocore's own client, moto's answers."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.services.aws import Aws
from vault import KekUnknown, KeyServiceOut, KeySourceError, TagMismatch, open_source
from vault.sources import extras
from vault.sources.aws_kms import AwsKmsKeySource
from vault.sources.guard import Guard
from vault.sources.several import joined

pytestmark = pytest.mark.loopback

TENANT_KEY = bytes(range(32))
CONTEXT = b"tenant ten_a"


@pytest.fixture
def arn(aws: Aws) -> str:
    return aws.make_key()


@pytest.fixture
def asked(aws: Aws) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What botocore was told to send, in order."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        seen.append((model.name, dict(params)))

    aws.client.meta.events.register("provide-client-params.kms", note)
    yield seen
    aws.client.meta.events.unregister("provide-client-params.kms", note)


def _source(aws: Aws, arn: str, client: Any = None) -> AwsKmsKeySource:
    return AwsKmsKeySource(client or aws.client, arn, Guard("AWS KMS"))


def test_every_request_names_the_key_and_its_context(aws: Aws, arn: str, asked: list[Any]) -> None:
    source = _source(aws, arn)
    source.unwrap(source.rewrap(source.wrap(TENANT_KEY, CONTEXT), CONTEXT), CONTEXT)
    names = [name for name, _ in asked]
    assert names == ["DescribeKey", "Encrypt", "ReEncrypt", "Decrypt"]
    for name, sent in asked[1:]:
        contexts = [value for key, value in sent.items() if key.endswith("EncryptionContext")]
        assert contexts, name
        assert all(list(one) == ["connector-context"] and one == contexts[0] for one in contexts)
        assert {value for key, value in sent.items() if key.endswith("KeyId")} == {arn}


def test_from_one_key_to_another_the_key_is_not_seen_here(aws: Aws, arn: str, asked: list[Any]) -> None:
    newer = aws.make_key()
    blob = _source(aws, arn).wrap(TENANT_KEY, CONTEXT)
    both = joined(_source(aws, newer), [_source(aws, arn)])
    asked.clear()
    renewed = both.rewrap(blob, CONTEXT)
    assert "Decrypt" not in {name for name, _ in asked}
    assert _source(aws, newer).unwrap(renewed, CONTEXT) == TENANT_KEY


def test_an_altered_wrap_is_refused_on_its_way_to_another_key_too(aws: Aws, arn: str) -> None:
    blob = _source(aws, arn).wrap(TENANT_KEY, CONTEXT)
    both = joined(_source(aws, aws.make_key()), [_source(aws, arn)])
    with pytest.raises(TagMismatch):
        both.rewrap(blob[:-1] + bytes([blob[-1] ^ 1]), CONTEXT)
    with pytest.raises(TagMismatch):
        both.rewrap(blob, b"tenant ten_b")


@pytest.mark.parametrize(
    "name",
    [
        "alias/gateway",
        "arn:aws:kms:eu-west-1:123456789012:alias/gateway",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:s3:::bucket",
    ],
)
def test_a_name_that_may_come_to_mean_another_key_is_refused(name: str) -> None:
    with pytest.raises(KeySourceError, match="by its own ARN") as caught:
        open_source(f"aws-kms:{name}")
    assert "describe-key" in caught.value.mend


def test_a_key_that_is_not_there_is_not_made(aws: Aws, arn: str) -> None:
    missing = arn[:-4] + ("0000" if not arn.endswith("0000") else "1111")
    with pytest.raises(KekUnknown, match="no key of that ARN"):
        _source(aws, missing).key_id()


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion", "Unavailable"])
def test_a_key_that_is_not_in_use_stops_everything_and_says_why(aws: Aws, arn: str, state: str) -> None:
    source = _source(aws, arn)
    blob = source.wrap(TENANT_KEY, CONTEXT)
    aws.stored(arn).key_state = state
    for act in (lambda: _source(aws, arn).key_id(), lambda: _source(aws, arn).unwrap(blob, CONTEXT)):
        with pytest.raises(KeySourceError, match=state):
            act()


def test_a_key_of_another_kind_is_refused(aws: Aws) -> None:
    signing = aws.make_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    with pytest.raises(KeySourceError, match="another kind"):
        _source(aws, signing).key_id()


# What AWS says when it does not do it ----------------------------------------------------------------


@contextmanager
def _saying(loopback_server: Callable[..., str], code: str, status: int) -> Iterator[tuple[Any, list[str]]]:
    asked: list[str] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked.append(environ["HTTP_X_AMZ_TARGET"])
        start_response(f"{status} X", [("Content-Type", "application/x-amz-json-1.1")])
        return [b'{"__type":"%s","message":"no"}' % code.encode()]

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    yield Aws(loopback_server(app)).client, asked


@pytest.mark.parametrize(
    ("code", "status", "error", "requests"),
    [
        ("ThrottlingException", 400, KeyServiceOut, 2),
        ("KMSInternalException", 500, KeyServiceOut, 2),
        ("DependencyTimeoutException", 503, KeyServiceOut, 2),
        ("AccessDeniedException", 400, KeySourceError, 1),
        ("UnrecognizedClientException", 400, KeySourceError, 1),
        ("DisabledException", 409, KeySourceError, 1),
        ("NotFoundException", 400, KekUnknown, 1),
    ],
)
def test_what_passes_is_asked_once_more_and_what_does_not_is_told(
    loopback_server: Callable[..., str], arn: str, code: str, status: int, error: type[KeySourceError], requests: int
) -> None:
    with _saying(loopback_server, code, status) as (client, asked), pytest.raises(error) as caught:
        AwsKmsKeySource(client, arn, Guard("AWS KMS")).key_id()
    assert type(caught.value) is error
    assert asked == ["TrentService.DescribeKey"] * requests
    assert caught.value.mend


def test_an_address_where_nobody_answers_is_an_outage(arn: str) -> None:
    nobody = Aws("http://127.0.0.1:9").client
    with pytest.raises(KeyServiceOut, match="EndpointConnectionError"):
        AwsKmsKeySource(nobody, arn, Guard("AWS KMS")).key_id()


def test_no_credentials_are_no_outage(arn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(KeySourceError, match="no usable credentials") as caught:
        open_source(f"aws-kms:{arn}").key_id()
    assert not isinstance(caught.value, KeyServiceOut)


@pytest.mark.parametrize(
    ("spec", "pip"),
    [
        ("aws-kms:arn:aws:kms:eu-west-1:123456789012:key/1", 'pip install "account-connector-gateway[aws-kms]"'),
        ("gcp-kms:projects/a/locations/b/keyRings/c/cryptoKeys/d", 'pip install "account-connector-gateway[gcp-kms]"'),
    ],
)
def test_without_its_library_a_source_names_the_command_that_installs_it(
    spec: str, pip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(KeySourceError, match="not installed") as caught:
        open_source(spec)
    assert pip in caught.value.mend


def test_the_context_keeps_tenants_apart_and_without_it_one_tenants_key_serves_another(
    aws: Aws, arn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _source(aws, arn)
    blob = source.wrap(TENANT_KEY, b"tenant ten_victim")
    with pytest.raises(TagMismatch):
        source.unwrap(blob, b"tenant ten_attacker")
    monkeypatch.setattr("vault.sources.aws_kms._context", lambda _: {})
    blob = source.wrap(TENANT_KEY, b"tenant ten_victim")
    assert source.unwrap(blob, b"tenant ten_attacker") == TENANT_KEY
