"""What the doctor looks at. Each look yields checks: ok, warn or fail, in words, with the way to mend it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import redis
import sqlalchemy as sa

from connector import app
from connector.cli.key_moving import unneeded
from connector.flows.policy_versions import examined
from connector.flows.seal_rows import seals_demanded
from connector.ledger import show as entries
from connector.model.clock import Clock
from connector.model.errors import Misconfigured, TryLater
from connector.policy import check as prove_all
from connector.policy import load_policy
from connector.settings import Settings, find, load, shipped
from connector.storage import Store, current_revision, head_revision, known_revisions, missing_guards, open_store
from connector.work import known as known_processes
from connector.work.depth import depths
from vault import KeySource, KeySourceError, RemoteKeySource, Vault

Status = Literal["ok", "warn", "fail"]
SKEW_MS = 2_000
SPARE_BYTES = 1 << 30
SEEN_MS = 30_000
OVERDUE_S = 300.0
PROBE_S = 5.0
BUILT_MS = 1_767_225_600_000  # 1 January 2026: no clock that is right shows less


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's. `mend` is empty where all is well."""

    name: str
    status: Status
    words: str
    mend: str = ""


class Patient:
    """A gateway's parts as the settings name them, opened one by one, so that each can fail by itself."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock

    @cached_property
    def store(self) -> Store:
        """The database, whatever its schema."""
        return open_store(self.settings.database.url, self.clock)

    @cached_property
    def vault(self) -> Vault:
        """The vault over the configured keys. Raises Misconfigured."""
        return app.open_vault(self.settings, self.clock, self.keys)

    @cached_property
    def keys(self) -> KeySource:
        """The configured key sources as one. Raises Misconfigured."""
        return app.key_source(self.settings)

    @cached_property
    def usable(self) -> bool:
        """Whether the schema is there, so that rows can be read."""
        return current_revision(self.store) is not None

    def close(self) -> None:
        """Let go of the database."""
        self.store.dispose()


def settings_of(config: Path | None) -> tuple[Settings | None, list[Check]]:
    """The settings, or what is wrong with them."""
    try:
        file = find(config, environ=os.environ, directory=Path.cwd())
        settings = load(config, key_needed=False)
    except Misconfigured as error:
        return None, [Check("settings", "fail", "cannot be used.", error.hint)]
    where = str(file) if file else "from the environment"
    checks = [Check("settings", "ok", f"{where}, {settings.server.mode} mode.")]
    if settings.is_development:
        checks.append(
            Check(
                "mode",
                "warn",
                "development: plain http and pretend providers are allowed.",
                'Before real people use it, set server.mode = "production".',
            )
        )
    if file and stat.S_IMODE(file.stat().st_mode) & 0o022:
        checks.append(Check("settings file", "fail", "others may write it.", f"Run: chmod go-w {file}"))
    return settings, checks


def files(patient: Patient) -> Iterator[Check]:
    """The SQLite file and its disk."""
    url = sa.make_url(patient.settings.database.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(url.database)
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o022:
        yield Check("database file", "fail", "others may write it.", f"Run: chmod go-w {path}")
    elif path.exists():
        yield Check("database file", "ok", f"{path}, {path.stat().st_size:,} bytes.")
    folder = path.parent
    free = shutil.disk_usage(folder).free if folder.exists() else 0
    if free < SPARE_BYTES:
        yield Check(
            "disk", "warn", f"{free >> 20} MiB are free beside the database.", "Make room: a full disk stops it."
        )


def keys(patient: Patient) -> Iterator[Check]:
    """The key opens, and everything under it."""
    yield from _key_file(patient.settings)
    vault = patient.vault
    broken = list(_key_service(patient))
    yield from broken
    if any(check.status == "fail" for check in broken):
        return
    if not patient.usable:
        yield Check("keys", "ok", "the key can be read.")
        return
    with patient.store.read() as tx:
        findings = vault.check(tx)
        demanded = bool(findings) or seals_demanded(tx, vault)
    if not demanded:
        words = "rows of an older version count without their seal."
        yield Check("row seals", "warn", words, "Once every node runs this version: connector vault seal")
    for finding in findings:
        yield Check("keys", "fail", f"{finding.code}.", finding.sentence)
    if not findings:
        yield Check("keys", "ok", "every key in use opens.")


def _key_service(patient: Patient) -> Iterator[Check]:
    """It answers, where there is one; and nothing is named that nothing needs."""
    if isinstance(patient.keys, RemoteKeySource):
        try:
            key_id = patient.keys.key_id()
        except KeySourceError as error:
            yield Check("key service", "fail", error.what, error.mend)
            return
        yield Check("key service", "ok", f"answers; {key_id} wraps.")
    if patient.usable:
        for spec in unneeded(patient.settings, patient.store):
            words = f"vault.also_opens names {spec}, which nothing needs any more."
            yield Check("key sources", "warn", words, "Take it out; keep what it holds for backups made before.")


def _key_file(settings: Settings) -> Iterator[Check]:
    kind, _, rest = settings.vault.kek.partition(":")
    url = sa.make_url(settings.database.url)
    if settings.is_development or kind != "file" or url.get_backend_name() != "sqlite" or not url.database:
        return
    if Path(rest).resolve().is_relative_to(Path(url.database).resolve().parent):
        yield Check(
            "key file",
            "warn",
            "it lies beside the database, so one stolen backup has both.",
            "Keep it on another volume, out of the database's backups, and name it in vault.kek.",
        )


def database(patient: Patient) -> Iterator[Check]:
    """It answers, its schema fits, and SQLite writes ahead."""
    store = patient.store
    try:
        found = current_revision(store)
    except TryLater as error:
        yield Check("database", "fail", f"cannot be reached ({error.detail}).", "Start it, or mend database.url.")
        return
    head = head_revision()
    if found is None:
        yield Check("database", "fail", "it has no tables yet.", "Run: connector init")
        return
    if found != head and found in known_revisions():
        yield Check("database", "fail", f"revision {found}, {head} is needed.", "Run: connector database upgrade")
        return
    yield Check(
        "database", "ok", f"{store.dialect}, revision {found}{'' if found == head else ' (newer than this code)'}."
    )
    if lost := missing_guards(store):
        mend = "Put them back: connector database upgrade"
        yield Check("guards", "fail", f"{len(lost)} triggers that refuse illegal moves are gone.", mend)
    if store.dialect == "sqlite":
        with store.read() as tx:
            row = tx.one("PRAGMA journal_mode")
        mode = "" if row is None else str(row["journal_mode"])
        good = mode == "wal"
        mend = "" if good else "Move the file to a local disk: SQLite cannot write ahead where it is."
        yield Check("journal", "ok" if good else "fail", f"SQLite writes in {mode} mode.", mend)


def clocks(patient: Patient) -> Iterator[Check]:
    """This machine, the database and the ledger agree on the time."""
    now = patient.clock.now()
    if now < BUILT_MS:
        yield Check("clock", "fail", "this machine's clock is years behind.", "Set it, and keep it by NTP.")
        return
    if not patient.usable:
        return
    skew = patient.store.now() - patient.clock.now()
    if abs(skew) > SKEW_MS:
        yield Check("clock", "fail", f"the database is {skew / 1000:+.1f} s off.", "Keep both machines by NTP.")
        return
    with patient.store.read() as tx:
        newest = entries(tx, limit=1)
    if newest and newest[0].at > now + SKEW_MS:
        ahead = (newest[0].at - now) / 1000
        yield Check(
            "clock", "fail", f"the newest ledger entry is {ahead:.0f} s in the future.", "Set the clock by NTP."
        )
        return
    yield Check("clock", "ok", "machine, database and ledger agree.")


def policy(patient: Patient) -> Iterator[Check]:
    """Every promise of every version holds, and one is in effect."""
    settings = patient.settings.policy
    report = prove_all(settings.directory or shipped("policy"), settings.text)
    for violation in report.violations:
        yield Check("policy", "fail", str(violation), "See all with: connector policy check")
    if not report.violations:
        yield Check("policy", "ok", f"version {report.version} holds in {report.combinations:,} combinations.")
    if patient.usable and current_revision(patient.store) not in known_revisions()[1:]:
        yield _versions(patient)


def _versions(patient: Patient) -> Check:
    """Whether a process would start with these versions."""
    settings = patient.settings.policy
    try:
        examined(
            patient.store,
            load_policy(settings.directory or shipped("policy"), settings.text),
            settings.notice_windows.changes,
        )
    except Misconfigured as error:
        return Check("policy versions", "fail", "may not count here.", error.hint)
    return Check("policy versions", "ok", "announced and unedited, as far as they were in force.")


def processes(patient: Patient) -> Iterator[Check]:
    """Somebody works, where there is work."""
    if not patient.usable:
        return
    with patient.store.read() as tx:
        now = tx.now()
        workers = [one for one in known_processes(tx) if one.kind == "worker" and now - one.seen_at < SEEN_MS]
        late = [depth for depth in depths(tx) if depth.overdue_s > OVERDUE_S]
    for depth in late:
        yield Check(
            "work",
            "warn",
            f"{depth.many} {depth.table} wait, the oldest for {depth.overdue_s / 60:.0f} minutes.",
            "Start another worker: connector worker" if workers else "No worker runs; start one: connector worker",
        )
    if not late:
        yield Check("work", "ok", f"nothing is late; {len(workers)} workers are running.")


def redis_server(patient: Patient) -> Iterator[Check]:
    """It answers, where one is configured."""
    url = patient.settings.redis.url
    if url is None:
        yield Check("redis", "ok", "none is configured, and none is needed on one machine.")
        return
    try:
        with redis.Redis.from_url(url, socket_timeout=PROBE_S, socket_connect_timeout=PROBE_S) as client:
            client.ping()
    except redis.RedisError as error:
        mend = "Start it, or mend redis.url. Nothing is lost meanwhile: workers poll, limits are local."
        yield Check("redis", "warn", f"does not answer ({type(error).__name__}).", mend)
        return
    yield Check("redis", "ok", "answers.")
