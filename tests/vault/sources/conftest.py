"""Every key source there is, for the contract."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.aws import aws  # noqa: F401  a fixture
from tests.standins.google_kms import GoogleKms
from tests.vault.sources.rigs import AwsRig, GoogleRig, Rig, TransitRig, in_file, in_variable
from vault.sources import key_file

LOCAL = ["file", "file with passphrase", "environment"]
REMOTE = ["transit", "aws-kms", "gcp-kms"]


@pytest.fixture
def google(loopback_server: Callable[..., str]) -> GoogleRig:
    service = GoogleKms()
    return GoogleRig(service, loopback_server(service))


def make_rig(kind: str, request: pytest.FixtureRequest) -> Rig:
    """The rig of that name; servers are asked for only where they are needed."""
    folder: Path = request.getfixturevalue("tmp_path")
    match kind:
        case "file":
            return in_file(folder)
        case "file with passphrase":
            return in_file(folder, b"correct horse")
        case "environment":
            return in_variable()
        case "transit":
            return TransitRig(request.getfixturevalue("openbao"))
        case "aws-kms":
            return AwsRig(request.getfixturevalue("aws"))
        case _:
            made: Rig = request.getfixturevalue("google")
            return made


@pytest.fixture(params=[*LOCAL, *REMOTE])
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(key_file, "_SCRYPT", {"n": 1 << 14, "r": 8, "p": 1})  # the least it accepts: tests are many
    return make_rig(request.param, request)
