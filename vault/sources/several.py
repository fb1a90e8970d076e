"""Several key sources as one: the first wraps, all of them unwrap. What it takes to move from one to another."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from vault.errors import FormatUnknown, KekMismatch, KekUnknown, KeySourceError
from vault.key_material import KeyMaterial
from vault.sources import local, remote
from vault.sources.aws_kms import AwsKmsKeySource
from vault.sources.guard import Health
from vault.sources.local import LocalKeys
from vault.sources.protocol import GrowingKeySource, KeySource, RemoteKeySource

T = TypeVar("T")


def joined(primary: KeySource, also: Sequence[KeySource]) -> KeySource:
    """One source of all these. Keys are added and retired at the first, where that can be done from here.

    Raises:
        KeySourceError: two of them hold different keys of one name.
    """
    if not also:
        return primary
    _refuse_namesakes([primary, *also])
    return GrowingSources(primary, also) if isinstance(primary, GrowingKeySource) else Sources(primary, also)


class Sources(KeyMaterial):
    """A first source and others that only open. A key is looked for where its id is held."""

    def __init__(self, primary: KeySource, also: Sequence[KeySource]) -> None:
        self._primary = primary
        self._all: tuple[KeySource, ...] = (primary, *also)

    def key_id(self) -> str:
        """The id of the key that wraps now."""
        return self._primary.key_id()

    def key_ids(self) -> frozenset[str]:
        """The ids of all keys that can unwrap."""
        return frozenset().union(*(source.key_ids() for source in self._all))

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, wrapped by the first source."""
        return self._primary.wrap(key, context)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """The key that was wrapped, by whichever source holds the KEK that it names."""
        return self._held(blob, lambda source: source.unwrap(blob, context))

    def rewrap(self, blob: bytes, context: bytes) -> bytes:
        """The same key under the KEK that wraps now; by the service alone, where both keys are at one service."""

        def renewed(source: KeySource) -> bytes:
            if source is self._primary:
                return source.rewrap(blob, context)
            if isinstance(self._primary, AwsKmsKeySource) and self._primary.reaches(source):
                return self._primary.take_over(source.checked(blob), context)
            return self._primary.wrap(source.unwrap(blob, context), context)

        return self._held(blob, renewed)

    def check_value(self, key_id: str | None = None) -> bytes:
        """16 bytes that recognise a KEK."""
        if key_id is None:
            return self._primary.check_value()
        for source in self._all:
            if key_id in source.key_ids():
                return source.check_value(key_id)
        raise KekUnknown("No key source that is configured holds that key.", "See: connector vault status")

    def health(self) -> Health:
        """The worst of those that are services."""
        found = [source.health() for source in self._all if isinstance(source, RemoteKeySource)]
        return max(found, key=lambda health: health.out_for_s, default=Health(ok=True, words="All keys are held here."))

    def _held(self, blob: bytes, act: Callable[[KeySource], T]) -> T:
        key_id = _wrapped_by(blob)
        other: KekMismatch | None = None
        for source in self._all:
            if key_id in source.key_ids():
                try:
                    return act(source)
                except KekMismatch as error:  # a namesake at another place
                    other = error
        if other is not None:
            raise other
        raise KekUnknown(
            f"No key source that is configured holds the key {key_id}.",
            "Name the one that does under vault.also_opens, beside the one that wraps now.",
        )


class GrowingSources(Sources):
    """The same, where the first source's keys can be changed from here. The others' are left as they are."""

    def __init__(self, primary: GrowingKeySource, also: Sequence[KeySource]) -> None:
        super().__init__(primary, also)
        self._growing = primary

    def retired_ids(self) -> frozenset[str]:
        """The ids of keys of the first source that are kept for old backups."""
        return self._growing.retired_ids()

    def add(self, key_id: str) -> None:
        """A new key at the first source; nothing where any source holds it."""
        if key_id not in self.key_ids():
            self._growing.add(key_id)

    def promote(self, key_id: str) -> None:
        """From now on this key of the first source wraps. Raises KeySourceError where it is another's."""
        if key_id in self._growing.key_ids():
            self._growing.promote(key_id)
        elif key_id in self.key_ids():
            raise KeySourceError(
                f"The key {key_id} is in a source that only opens.",
                "Name that source in vault.kek and the present one under vault.also_opens, in every process.",
            )
        else:
            raise KekUnknown(f"No key {key_id} is there.", "See which there are: connector vault status")

    def retire(self, key_id: str) -> None:
        """The first source's key opens nothing any more. Another source is retired by taking it out of the settings."""
        if key_id in self._growing.key_ids():
            self._growing.retire(key_id)

    def reinstate(self, key_id: str) -> None:
        """A retired key of the first source unwraps again; nothing where any source holds it."""
        if key_id not in self.key_ids():
            self._growing.reinstate(key_id)

    def forget(self, key_id: str) -> None:
        """Destroy a retired key of the first source."""
        self._growing.forget(key_id)


def _wrapped_by(blob: bytes) -> str:
    try:
        return local.wrapped_by(blob)
    except FormatUnknown:
        return remote.parsed(blob).key_id


def _refuse_namesakes(sources: Sequence[KeySource]) -> None:
    """Local ids carry no place, so that keys may move: then one name must not stand for two keys."""
    held: dict[str, bytes] = {}
    for source in sources:
        if not isinstance(source, LocalKeys):
            continue
        for key_id in source.key_ids():
            check = source.check_value(key_id)
            if held.setdefault(key_id, check) != check:
                raise KeySourceError(
                    f"Two key sources hold different keys named {local.name_of(key_id)}.",
                    "Give the newer one another name before anything is wrapped by it.",
                )
