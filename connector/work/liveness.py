"""A lock that ends with its process, however that ends: kill -9, power cut, broken network.

PostgreSQL: session advisory locks on two connections of its own. SQLite: `flock` on a file of its own beside the
database; POSIX byte locks would not do, since closing any descriptor of the file drops them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import psycopg
import sqlalchemy as sa

from connector.model.errors import Misconfigured
from connector.storage import Store, Transaction

KEEPALIVE_S = 5
SETTLE_S = 2.0  # after a break of its own a process judges nobody for so long: the others may be coming back as well

_Session = psycopg.Connection[tuple[object, ...]]


class Liveness(Protocol):
    """This process's own sign of life, and the way to see others'."""

    def hold(self) -> bool:
        """Hold the sign, or take it again if it was lost; False if it cannot be held now."""

    def alive(self, tx: Transaction, ids: Iterable[str]) -> frozenset[str]:
        """Which of these processes hold theirs."""

    def release(self) -> None:
        """Let it go (at a clean end)."""


class FileLiveness:
    """`flock` on `<folder>/<process id>.alive`; for processes of one machine."""

    def __init__(self, process_id: str, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{_file_name(process_id)}.alive"
        self._descriptor: int | None = None

    def hold(self) -> bool:
        """Hold the lock. A file that somebody removed is made anew."""
        if self._descriptor is not None:
            if _same_file(self._descriptor, self._path):
                return True
            self.release()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = _locked(self._path, os.O_RDWR | os.O_CREAT)
        return self._descriptor is not None

    def alive(self, tx: Transaction, ids: Iterable[str]) -> frozenset[str]:  # noqa: ARG002  the protocol's, not needed here
        """A process is alive while its file is locked; the file of a dead one is removed."""
        return frozenset(one for one in ids if self._locked_by_its_owner(one))

    def release(self) -> None:
        """Remove the file and let the lock go."""
        if self._descriptor is not None:
            if _same_file(self._descriptor, self._path):
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = None

    def _locked_by_its_owner(self, process_id: str) -> bool:
        path = self._folder / f"{_file_name(process_id)}.alive"
        if path == self._path:
            return self._descriptor is not None
        try:
            descriptor = _locked(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        if descriptor is None:
            return True
        if _same_file(descriptor, path):
            path.unlink()
        os.close(descriptor)
        return False


class SessionLiveness:
    """PostgreSQL advisory locks on two connections that are used for nothing else.

    Two, because a connection may break in life: its process is alive by the other one and ties the first again. When
    both are gone, it is dead, and that is known at the first look: a provider's grace may be shorter than a second one.
    """

    def __init__(self, process_id: str, store: Store) -> None:
        self._keys = _keys(process_id)
        self._address = sa.make_url(store.url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._ropes: dict[int, _Session] = {}  # by key
        self._monotonic = store.clock.monotonic
        self._holds = False
        self._judges_from = 0.0

    def hold(self) -> bool:
        """Hold both locks; those whose connection broke, on a new one. True while at least one is held."""
        self._ropes = {key: rope for key, rope in self._ropes.items() if _answers(rope)}
        if self._holds and not self._ropes:
            self._judges_from = self._monotonic() + SETTLE_S
        for key in self._keys:
            rope = self._ropes.get(key) or self._tied(key)
            if rope is not None:
                self._ropes[key] = rope
        self._holds = self._holds or bool(self._ropes)
        return bool(self._ropes)

    def alive(self, tx: Transaction, ids: Iterable[str]) -> frozenset[str]:
        """A process is alive while one of its locks is in the server's table of locks.

        Where the server went away, every lock went with it: who lost its own takes nobody for dead until the others
        have had time to take theirs again.
        """
        rows = tx.all(
            "SELECT (classid::bigint << 32) | objid::bigint AS key FROM pg_locks"
            " WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        held = {int(row["key"]) for row in rows}
        if self._holds and (held.isdisjoint(self._keys) or self._monotonic() < self._judges_from):
            return frozenset(ids)
        return frozenset(one for one in ids if not held.isdisjoint(_keys(one)))

    def release(self) -> None:
        """Close the connections, and the locks with them."""
        while self._ropes:
            self._ropes.popitem()[1].close()
        self._holds = False

    def _tied(self, key: int) -> _Session | None:
        try:
            connection = psycopg.connect(
                self._address, autocommit=True, connect_timeout=KEEPALIVE_S, keepalives_idle=KEEPALIVE_S
            )
            # The server, too, has to notice soon that this end is gone.
            for setting in ("tcp_keepalives_idle", "tcp_keepalives_interval"):
                connection.execute("SELECT set_config(%s, %s, false)", (setting, str(KEEPALIVE_S)))
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
        except psycopg.OperationalError:
            return None  # the caller sees it and asks again at its next beat
        if row is None or not row[0]:
            connection.close()
            return None
        return connection


def _answers(rope: _Session) -> bool:
    try:
        rope.execute("SELECT 1")
    except psycopg.OperationalError:
        rope.close()
        return False
    return True


def open_liveness(store: Store, process_id: str) -> FileLiveness | SessionLiveness:
    """The kind that fits the database."""
    if store.dialect == "postgresql":
        return SessionLiveness(process_id, store)
    database = sa.make_url(store.url).database
    if not database:
        raise Misconfigured("database_url", "A SQLite database needs a file: sqlite:///connector.db")
    return FileLiveness(process_id, Path(f"{database}.processes"))


def _keys(process_id: str) -> tuple[int, int]:
    digest = hashlib.sha256(b"process " + process_id.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True), int.from_bytes(digest[8:16], "big", signed=True)


def _file_name(process_id: str) -> str:
    if not process_id.replace("_", "").replace("-", "").isalnum():
        raise ValueError("a process id is made of letters, digits, _ and -")
    return process_id


def _locked(path: Path, flags: int) -> int | None:
    """A descriptor that holds the lock, or None if somebody else does."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
