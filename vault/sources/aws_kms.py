"""Keys at AWS KMS.

The context goes along as the encryption context, which AWS binds and writes into its audit trail (it holds ids,
nothing of people). Every request names the key, decryption too: AWS is not left to find out which key it was.
AWS turns the material of a key by itself and keeps what is old; the id stays, so there is nothing to rewrap then. From
one key to another, ReEncrypt brings a wrap over without showing what is in it.
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol, TypeGuard

from vault.errors import KekUnknown, KeySourceError, TagMismatch
from vault.sources.extras import extra
from vault.sources.guard import TIMEOUT_S, Guard, Unanswered
from vault.sources.remote import RemoteKeys, ServiceKeys, check_of

PREFIX = "aws-kms:"
_ARN = re.compile(r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):\d{12}:key/[A-Za-z0-9-]{1,64}", re.ASCII)
_CONTEXT = "connector-context"
_ALTERED = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_PASSING = frozenset(
    {
        "ThrottlingException",
        "LimitExceededException",
        "KMSInternalException",
        "DependencyTimeoutException",
        "KeyUnavailableException",
        "RequestTimeout",
        "ServiceUnavailable",
        "InternalFailure",
    }
)
_OFF = frozenset({"DisabledException", "KMSInvalidStateException"})
_SERVER_FAULT = 500


class Client(Protocol):
    """What is used of botocore's KMS client."""

    def describe_key(self, *, KeyId: str) -> Mapping[str, Any]:  # noqa: N803  AWS's own names
        """What the key is."""
        ...

    def encrypt(self, *, KeyId: str, Plaintext: bytes, EncryptionContext: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: N803
        """Wrap."""
        ...

    def decrypt(self, *, KeyId: str, CiphertextBlob: bytes, EncryptionContext: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: N803
        """Unwrap."""
        ...

    def re_encrypt(self, **request: Any) -> Mapping[str, Any]:
        """Wrap anew."""
        ...


def open_aws_kms(arn: str) -> "AwsKmsKeySource":
    """The source of that key, with the credentials that this process has.

    Raises:
        KeySourceError: the extra is missing, or the name is not a key's ARN.
    """
    region = region_of(arn)
    session, config = extra("aws-kms", "botocore.session", "botocore.config")
    settings = config.Config(
        connect_timeout=TIMEOUT_S,
        read_timeout=TIMEOUT_S,
        retries={"total_max_attempts": 1, "mode": "standard"},  # the guard asks once more, and knows when not to
        user_agent_extra="account-connector-gateway",
    )
    client = session.get_session().create_client("kms", region_name=region, config=settings)
    return AwsKmsKeySource(client, arn, Guard("AWS KMS"))


def region_of(arn: str) -> str:
    """The region in a key's ARN. Raises KeySourceError."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise KeySourceError(
            "An AWS key is named by its own ARN: an alias may be pointed at another key.",
            "Write aws-kms:arn:aws:kms:REGION:ACCOUNT:key/ID (see it with: aws kms describe-key)",
        )
    return found["region"]


class AwsKmsKeySource(RemoteKeys):
    """One symmetric key at AWS KMS."""

    def __init__(self, client: Client, arn: str, guard: Guard) -> None:
        super().__init__(guard)
        self._client = client
        self._arn = arn
        self.region = region_of(arn)
        self._errors: tuple[Any, Any] = tuple(
            getattr(extra("aws-kms", "botocore.exceptions")[0], name) for name in ("ClientError", "BotoCoreError")
        )

    def reaches(self, other: object) -> "TypeGuard[AwsKmsKeySource]":
        """Whether ReEncrypt can bring over what the other source's key wrapped: within one region."""
        return isinstance(other, AwsKmsKeySource) and other.region == self.region

    def _look(self) -> ServiceKeys:
        found = self._asked("look at the key", lambda: self._client.describe_key(KeyId=self._arn))["KeyMetadata"]
        if found.get("KeyState") != "Enabled":
            raise KeySourceError(
                f"The AWS key is not in use (its state is {found.get('KeyState')}).",
                "Enable it, or cancel its deletion; without it nothing stored can be read.",
            )
        if found.get("KeySpec") != "SYMMETRIC_DEFAULT" or found.get("KeyUsage", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
            raise KeySourceError("The AWS key is of another kind.", "Name a symmetric key that encrypts and decrypts.")
        if found.get("Arn") != self._arn:
            raise KeySourceError("AWS answered with another key.", "Name the key by its own ARN.")
        key_id = PREFIX + self._arn
        return ServiceKeys({key_id: check_of(key_id, round(found["CreationDate"].timestamp() * 1000))}, key_id)

    def _encrypt(self, key_id: str, key: bytes, bound: bytes) -> tuple[str, bytes]:
        arn, context = key_id.removeprefix(PREFIX), _context(bound)
        answer = self._asked(
            "encrypt", lambda: self._client.encrypt(KeyId=arn, Plaintext=key, EncryptionContext=context)
        )
        return PREFIX + answer["KeyId"], answer["CiphertextBlob"]

    def _decrypt(self, key_id: str, sealed: bytes, bound: bytes) -> bytes:
        arn, context = key_id.removeprefix(PREFIX), _context(bound)
        answer = self._asked(
            "decrypt", lambda: self._client.decrypt(KeyId=arn, CiphertextBlob=sealed, EncryptionContext=context)
        )
        plaintext: bytes = answer["Plaintext"]
        return plaintext

    def _reencrypt(self, key_id: str, wants: str, sealed: bytes, bound: bytes) -> tuple[str, bytes]:
        request = {
            "CiphertextBlob": sealed,
            "SourceKeyId": key_id.removeprefix(PREFIX),
            "SourceEncryptionContext": _context(bound),
            "DestinationKeyId": wants.removeprefix(PREFIX),
            "DestinationEncryptionContext": _context(bound),
        }
        answer = self._asked("re-encrypt", lambda: self._client.re_encrypt(**request))
        return PREFIX + answer["KeyId"], answer["CiphertextBlob"]

    def _asked(self, what: str, request: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        refusal, trouble = self._errors
        try:
            return request()
        except refusal as error:
            _refused(what, error.response)
        except trouble as error:
            kind = type(error).__name__
            if "Credential" in kind or "Token" in kind or "Profile" in kind or "Config" in kind:
                raise KeySourceError(
                    f"There are no usable credentials for AWS ({kind}).",
                    "Give the process a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
                ) from None
            raise Unanswered(kind) from None


def _refused(what: str, response: Mapping[str, Any]) -> NoReturn:
    code = str(response.get("Error", {}).get("Code"))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _ALTERED:
        raise TagMismatch("a wrapped tenant key was altered or moved from its row")
    if code in _PASSING or status >= _SERVER_FAULT:
        raise Unanswered(code)
    if code == "NotFoundException":
        raise KekUnknown("AWS knows no key of that ARN.", "Mend vault.kek: account, region and id must be the key's.")
    if code in _OFF:
        raise KeySourceError(f"The AWS key is not in use ({code}).", "Enable it, or cancel its deletion.")
    raise KeySourceError(
        f"AWS refuses to {what} ({code}).", "Give this process's role the rights that docs/vault.md shows."
    )


def _context(bound: bytes) -> dict[str, str]:
    return {_CONTEXT: base64.b64encode(bound).decode()}
