"""A copy of the database that can be trusted, and what belongs to it: which keys it needs and how far it had come.

The keys themselves never go along. SQLite is copied while it works; PostgreSQL has tools of its own, and only the
manifest is written here.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector.flows.verify_vault import PLACES
from connector.model.clock import Clock
from connector.model.errors import BadInput, Misconfigured
from connector.storage import Store, current_revision, open_store
from vault import Vault
from vault.inventory import inventory
from vault.shreds import shred_position
from vault.start_checks import Finding
from vault.verification import Pace, Report, verify

FORMAT = "gw/backup/v1"
MANIFEST, COPY = "manifest.json", "connector.db"
SHARE = 0.01
_RANDOM = random.SystemRandom()

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is. Counted before the copy was made, so that the copy holds at least that much.

    Attributes:
        keks: ids of the KEKs without which it does not open.
        shreds, shredded_at: how many keys had been destroyed, and when the last one was (ms).
        high_water: the newest entry of the ledger.
        file, sha256: the copy; None where another tool makes it.
    """

    format: str
    made_at: int
    dialect: str
    revision: str | None
    keks: tuple[str, ...]
    shreds: int
    shredded_at: int
    high_water: int
    file: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """A backup. `to_do`: what another tool must do; `findings` and `report`: what the check found, where asked for."""

    manifest: Manifest
    to_do: str | None = None
    findings: tuple[Finding, ...] = ()
    report: Report | None = None

    @property
    def sound(self) -> bool:
        """Whether the check, if any, found nothing."""
        return not self.findings and (self.report is None or not self.report.broken)


def back_up(
    store: Store,
    vault: Vault,
    folder: Path,
    *,
    check: bool = False,
    tell: Tell = lambda _done, _all: None,
    draw: Callable[[], float] = _RANDOM.random,
) -> Made:
    """Copy the database into an empty folder, and write the manifest beside it.

    Raises:
        BadInput: the folder is not empty, or cannot be made.
    """
    _prepare(folder)
    manifest = _counted(store)
    if store.dialect != "sqlite":
        _write(folder, manifest)
        return Made(manifest, _for_postgresql(store, folder))
    copy = folder / COPY
    _copied(store, copy)
    findings, report = _checked(copy, vault, store.clock, tell, draw) if check else ((), None)
    manifest = Manifest(**{**asdict(manifest), "file": COPY, "sha256": sha256_of(copy)})
    _write(folder, manifest)
    return Made(manifest, None, tuple(findings), report)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup. Raises BadInput where there is none that can be read."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**{**found, "keks": tuple(found["keks"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(
            "no_backup", f"{folder} holds no {MANIFEST} that can be read; name a folder that a backup made."
        ) from error
    if manifest.format != FORMAT:
        raise BadInput("unknown_backup", f"The backup in {folder} is of a form that this version does not know.")
    return manifest


def sha256_of(file: Path) -> str:
    """The digest of a file, read in pieces."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sqlite_file(store_url: str) -> Path:
    """The file of a SQLite database."""
    return Path(sa.make_url(store_url).database or "")


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise BadInput("cannot_write", f"{folder} cannot be made ({error.strerror}); name another folder.") from error
    if taken:
        raise BadInput(
            "folder_taken", f"{folder} is not empty, and backups are never overwritten; name another folder."
        )


def _counted(store: Store) -> Manifest:
    with store.read() as tx:
        shreds, shredded_at = shred_position(tx)
        newest = tx.one("SELECT COALESCE(MAX(id), 0) AS newest FROM ledger_entries")
        keks = tuple(sorted(inventory(tx).tenant_keys))
        now = tx.now()
    return Manifest(
        FORMAT,
        now,
        store.dialect,
        current_revision(store),
        keks,
        shreds,
        shredded_at,
        0 if newest is None else int(newest["newest"]),
        None,
        None,
    )


def _copied(store: Store, copy: Path) -> None:
    """SQLite's own backup in one step: it reads one state of the database, and keeps no writer waiting."""
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source, target = sqlite3.connect(sqlite_file(store.url)), sqlite3.connect(copy)
    try:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE").close()  # one file, whole by itself
    finally:
        target.close()
        source.close()
    with copy.open("rb") as written:
        os.fsync(written.fileno())


def _checked(
    copy: Path, vault: Vault, clock: Clock, tell: Tell, draw: Callable[[], float]
) -> tuple[list[Finding], Report]:
    """Every tenant's canary in the copy, and one record in a hundred."""
    trial = copy.with_name("trial.db")
    trial.write_bytes(copy.read_bytes())  # opening a database writes beside it
    store = open_store(f"sqlite:///{trial}", clock)
    try:
        with store.read() as tx:
            findings = vault.check(tx)
        pace = Pace(clock.monotonic, clock.sleep)
        report = verify(
            store.read,
            vault,
            PLACES,
            pace,
            tell=lambda _place, done, every: tell(done, every),
            drawn=lambda: draw() < SHARE,
        )
    finally:
        store.dispose()
        for rest in copy.parent.glob("trial.db*"):
            rest.unlink()
    return findings, report


def _write(folder: Path, manifest: Manifest) -> None:
    document: dict[str, Any] = asdict(manifest)
    (folder / MANIFEST).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _for_postgresql(store: Store, folder: Path) -> str:
    url = sa.make_url(store.url).set(drivername="postgresql", password=None).render_as_string()
    return (
        "PostgreSQL is copied by its own tools; the manifest is written. Now run: "
        f"pg_dump --format=custom --file={folder / 'connector.dump'} {url}  (or pg_basebackup for the whole server)"
    )


def refuse_altered(folder: Path, manifest: Manifest) -> Path:
    """The copy in a backup, if it is the one the manifest speaks of. Raises Misconfigured."""
    copy = folder / (manifest.file or COPY)
    if not copy.is_file() or sha256_of(copy) != manifest.sha256:
        raise Misconfigured(
            "backup_damaged",
            f"{copy} is not the copy that {MANIFEST} speaks of: it is damaged or incomplete. Use another backup.",
        )
    return copy
