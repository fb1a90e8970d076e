"""Key sources as the contract wants them: opened anew at will, their keys followed, taken away and replaced."""

from __future__ import annotations

import base64
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.services.aws import Aws
from tests.services.openbao import ROOT, OpenBao
from tests.standins import google_kms
from tests.standins.google_kms import GoogleKms, Version
from vault import Access, EnvironmentKeySource, FileKeySource, KeySource, open_source
from vault.sources import key_file
from vault.sources.aws_kms import AwsKmsKeySource
from vault.sources.gcp_kms import GcpKmsKeySource
from vault.sources.guard import Guard
from vault.sources.several import joined


class Rig(ABC):
    """One place that keys are kept in."""

    foreign = b"gk1\x011" + bytes(80)
    """A wrap of another kind of source."""

    @abstractmethod
    def open(self) -> KeySource:
        """The source, as a process that starts now opens it."""

    @abstractmethod
    def follow(self) -> None:
        """Another key wraps from now on; the old ones still open."""

    @abstractmethod
    def take_away(self) -> None:
        """All but the newest key are out of reach."""

    @abstractmethod
    def replace(self) -> None:
        """The newest key is another one under the same name."""


class LocalRig(Rig):
    """Keys in hand."""

    foreign = b"gk2\x00\x0btransit:x/y" + bytes(40)

    def __init__(self, store: Callable[[dict[str, bytes], str], KeySource]) -> None:
        self._store = store
        self._keys = {"1": os.urandom(32)}

    def open(self) -> KeySource:
        return self._store(self._keys, max(self._keys))

    def follow(self) -> None:
        self._keys[str(int(max(self._keys)) + 1)] = os.urandom(32)

    def take_away(self) -> None:
        newest = max(self._keys)
        self._keys = {newest: self._keys[newest]}

    def replace(self) -> None:
        self._keys[max(self._keys)] = os.urandom(32)


def in_file(folder: Path, passphrase: bytes | None = None) -> Rig:
    """Keys in a file."""

    def store(keys: dict[str, bytes], primary: str) -> KeySource:
        path = folder / "kek.json"
        path.touch(mode=0o600)
        path.write_bytes(key_file.dump(keys, primary, passphrase))
        return FileKeySource(path, passphrase=passphrase)

    return LocalRig(store)


def in_variable() -> Rig:
    """Keys in a variable."""

    def store(keys: dict[str, bytes], primary: str) -> KeySource:
        names = [primary, *(name for name in keys if name != primary)]
        value = ",".join(f"{name}:{base64.b64encode(keys[name]).decode()}" for name in names)
        return EnvironmentKeySource("KEK", {"KEK": value})

    return LocalRig(store)


class TransitRig(Rig):
    """A key of its own at a real OpenBao."""

    def __init__(self, bao: OpenBao) -> None:
        self.bao = bao
        self.name = "contract-" + os.urandom(6).hex()
        self.spec = bao.make_key(self.name)

    def open(self) -> KeySource:
        return open_source(self.spec, access=Access(token=ROOT))

    def follow(self) -> None:
        self.bao.ask("POST", f"transit/keys/{self.name}/rotate", {})

    def take_away(self) -> None:
        newest = self.bao.ask("GET", f"transit/keys/{self.name}")["data"]["latest_version"]
        self.bao.ask("POST", f"transit/keys/{self.name}/config", {"min_decryption_version": newest})

    def replace(self) -> None:
        versions = len(self.bao.ask("GET", f"transit/keys/{self.name}")["data"]["keys"])
        made_at = self._made_at()
        while self._made_at() == made_at:  # the service tells the time of its keys in whole seconds
            self.bao.ask("POST", f"transit/keys/{self.name}/config", {"deletion_allowed": True})
            self.bao.ask("DELETE", f"transit/keys/{self.name}")
            self.bao.make_key(self.name)
        for _ in range(versions - 1):
            self.follow()

    def _made_at(self) -> int:
        return int(self.bao.ask("GET", f"transit/keys/{self.name}")["data"]["keys"]["1"])


class AwsRig(Rig):
    """Keys at AWS KMS. To follow is to name another one, and the old one beside it."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.arns = [aws.make_key()]

    def source(self, arn: str) -> AwsKmsKeySource:
        return AwsKmsKeySource(self.aws.client, arn, Guard("AWS KMS"))

    def open(self) -> KeySource:
        newest, *older = reversed(self.arns)
        return joined(self.source(newest), [self.source(arn) for arn in older])

    def follow(self) -> None:
        self.arns.append(self.aws.make_key())

    def take_away(self) -> None:
        self.arns = self.arns[-1:]

    def replace(self) -> None:
        kept = self.aws.stored(self.arns[-1])
        kept.creation_date += timedelta(seconds=1).total_seconds()


class GoogleRig(Rig):
    """A key at a stand-in for Google Cloud KMS, asked by the official client."""

    def __init__(self, service: GoogleKms, address: str) -> None:
        self.service = service
        self.client = google_kms.client(address)

    def open(self) -> KeySource:
        return GcpKmsKeySource(self.client, google_kms.KEY, Guard("Google Cloud KMS"))

    def follow(self) -> None:
        number = max(self.service.versions) + 1
        self.service.versions[number] = Version()
        self.service.primary = number

    def take_away(self) -> None:
        for number, version in self.service.versions.items():
            version.state = 1 if number == self.service.primary else 2

    def replace(self) -> None:
        old = self.service.versions[self.service.primary]
        self.service.versions[self.service.primary] = replace(old, key=os.urandom(32), generated="2026-02-02T00:00:00Z")
