"""The database without its guards: what somebody has who may change the schema as well as the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from connector.storage import Store, guards


@contextmanager
def unguarded(store: Store) -> Iterator[None]:
    """Every trigger dropped for the length of the block."""
    with store.transaction() as tx:
        for guard in guards.guards():
            tx.run(guards.drop(store.dialect, guard.name, guard.table))
    try:
        yield
    finally:
        engine = sa.create_engine(store.url, poolclass=sa.pool.NullPool)
        with engine.begin() as connection:
            guards.install(connection)
        engine.dispose()
