"""What the doctor looks at. Each look yields checks: ok, warn or fail, in words, with the way to mend it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal

import redis
import sqlalchemy as sa

from connector import app
from connector.clients import Integration, integrations_of, registration_of
from connector.clients import tenants as every_tenant
from connector.egress import Egress
from connector.ledger import show as entries
from connector.model.clock import Clock
from connector.model.errors import ConnectorError, Misconfigured, TryLater
from connector.policy import check as prove_all
from connector.settings import Settings, find, load, shipped
from connector.storage import Store, current_revision, head_revision, known_revisions, open_store
from connector.work import known as known_processes
from connector.work.depth import depths
from providers import catalogue
from providers.errors import ProviderError
from providers.exchange import Exchange, NetworkFailure, Request
from vault import Vault

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
        """The vault over the configured key. Raises Misconfigured."""
        return app.open_vault(self.settings, self.clock)

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
    if not patient.usable:
        yield Check("keys", "ok", "the key can be read.")
        return
    with patient.store.read() as tx:
        findings = vault.check(tx)
    for finding in findings:
        yield Check("keys", "fail", f"{finding.code}.", finding.sentence)
    if not findings:
        yield Check("keys", "ok", "every key in use opens.")


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
    report = prove_all(patient.settings.policy.directory or shipped("policy"))
    for violation in report.violations:
        yield Check("policy", "fail", str(violation), "See all with: connector policy check")
    if not report.violations:
        yield Check("policy", "ok", f"version {report.version} holds in {report.combinations:,} combinations.")


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


def providers(patient: Patient) -> Iterator[Check]:
    """Every integration's provider can be reached, by the same door as in earnest."""
    if not patient.usable:
        return
    with patient.store.read() as tx:
        found = [one for tenant in every_tenant(tx) for one in integrations_of(tx, patient.vault, tenant.id)]
    if not found:
        yield Check("providers", "ok", "there is no integration yet.")
    egress = Egress(patient.clock, deadline_s=PROBE_S, max_bytes=1 << 20, development=patient.settings.is_development)
    for integration in found:
        yield from _provider(patient, egress, integration)
    egress.close()


def _provider(patient: Patient, egress: Egress, integration: Integration) -> Iterator[Check]:
    entry, name = catalogue.entry(integration.provider), f"provider {integration.name}"
    if entry.development_only and not patient.settings.is_development:
        mend = f"Remove it: connector integrations remove {integration.id}"
        yield Check(name, "fail", f"{entry.title} is refused in production.", mend)
        return
    issuer = registration_of(integration, patient.settings).issuer
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration" if issuer else entry.token_endpoint
    try:
        status = egress.drive(_probe(address), provider=integration.id)
    except (ConnectorError, ProviderError, NetworkFailure) as error:
        why = error.code.replace("_", " ")
        mend = "Mend the network, the proxy or the issuer; sign-ups and refreshes there fail until then."
        yield Check(name, "fail", f"{entry.title} cannot be reached ({why}).", mend)
        return
    if issuer and status != 200:  # noqa: PLR2004  discovery answers 200 (OpenID Connect Discovery section 4.2)
        mend = "Mend the integration's issuer; it must serve OpenID Connect discovery."
        yield Check(name, "fail", f"its discovery answers {status}.", mend)
        return
    age = (date.today() - date.fromisoformat(entry.verified_on)).days  # noqa: DTZ011  whole days are enough
    yield Check(name, "ok", f"{entry.title} answers; its facts were verified {max(age, 0)} days ago.")


def _probe(address: str) -> Exchange[int]:
    """Any answer will do: what counts is that name, route and certificate are right."""
    response = yield Request("GET", address, {"Accept": "application/json"}, about_person=False, max_bytes=1 << 20)
    return response.status
