"""What every table is made of: the one metadata, and columns by their meaning."""

from __future__ import annotations

import sqlalchemy as sa

from connector.model.states import AuthorizationState, ConnectionState, WorkState

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[str]:
    """Text."""
    return sa.Column(name, sa.Text, nullable=null, server_default=default)


def key(name: str = "id") -> sa.Column[str]:
    """Text, and the primary key."""
    return sa.Column(name, sa.Text, primary_key=True)


def integer(name: str, *, null: bool = False, default: int | None = None) -> sa.Column[int]:
    """An integer of 64 bits: times in ms, counts, flags."""
    return sa.Column(name, sa.BigInteger, nullable=null, server_default=None if default is None else str(default))


def blob(name: str, *, null: bool = False) -> sa.Column[bytes]:
    """Bytes."""
    return sa.Column(name, sa.LargeBinary, nullable=null)


def counter(name: str = "id") -> sa.Column[int]:
    """A number that the database gives, and the primary key."""
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)


def known(column: str, words: type[ConnectionState | AuthorizationState | WorkState]) -> sa.CheckConstraint:
    """No other word than these may stand in the column."""
    listed = ", ".join(f"'{word.value}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"known_{column}")


def lease() -> list[sa.Column[str] | sa.Column[int]]:
    """Columns of every claimable row: see the room `work`."""
    return [
        text("state", default="queued"),
        integer("next_at", default=0),
        integer("attempts", default=0),
        integer("fence", default=0),
        text("lease_owner", null=True),
        integer("lease_until", null=True),
    ]
