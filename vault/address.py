"""Where sealed bytes live, and who owns the key that seals them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose data key it is. The words mean nothing to the vault; it only binds them."""

    tenant: str
    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Address:
    """One place that holds sealed bytes.

    `provider` is empty where none applies; `place` names table and column, such as
    "connection_tokens.refresh". A record opens at the address it was sealed at and nowhere else.
    """

    tenant: str
    owner_kind: str
    owner_id: str
    provider: str
    place: str

    def parts(self) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """The five words as bytes, in the order in which they are bound."""
        return (
            self.tenant.encode(),
            self.owner_kind.encode(),
            self.owner_id.encode(),
            self.provider.encode(),
            self.place.encode(),
        )
