"""One gateway with its own outbound door and four providers on sockets, each of which keeps what it was sent."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from connector.clients import Integration, NewIntegration, add_integration
from connector.http import create_app
from connector.ledger import Entry, show
from connector.storage import Store
from connector.worker.steps import keeping, outward
from providers.rehearsal.server import Config
from providers.rehearsal.server import create_app as rehearsal_app
from providers.secret import Secret
from tests.clock import ManualClock
from tests.gateways import House, make_house
from tests.signing_up import Town, let_write
from tests.standins import facebook, github, google
from tests.standins.rehearsal_key import shared_key
from tests.standins.serving import serving

# What concerns nobody in particular: where a provider's addresses and keys are read.
NOBODYS = {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks", "/oauth2/v3/certs"}
SCOPES = {
    "facebook": ("public_profile", "email", "pages_show_list", "pages_manage_metadata"),
    "google": ("openid", "profile", "email", google.CONTACTS),
    "github": ("user",),
}
REGISTERED = {
    "facebook": (facebook, facebook.APP_ID, facebook.APP_SECRET),
    "google": (google, google.CLIENT_ID, google.CLIENT_SECRET),
    "github": (github, github.CLIENT_ID, github.CLIENT_SECRET),
}
Requests = Counter[tuple[str, int | None]]


@dataclass
class Seen:
    """One request as a provider received it. `status` None: it gave no whole answer."""

    provider: str
    method: str
    path: str
    raw: bytes = field(repr=False)
    status: int | None = None

    @property
    def about_person(self) -> bool:
        """Judged by the address alone, not by what the gateway thinks."""
        return self.path not in NOBODYS


class Recorder:
    """WSGI middleware that keeps every request, whoever sent it."""

    def __init__(self, provider: str, app: Flask, seen: list[Seen]) -> None:
        self._provider, self._app, self._seen = provider, app, seen

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        head = "\n".join(f"{name}: {value}" for name, value in environ.items() if isinstance(value, str))
        one = Seen(self._provider, environ["REQUEST_METHOD"], environ["PATH_INFO"], head.encode() + b"\n\n" + body)
        self._seen.append(one)

        def start(status: str, headers: list[tuple[str, str]], failure: Any = None) -> Any:
            one.status = int(status.split(maxsplit=1)[0])
            return start_response(status, headers, failure)

        return self._app(environ, start)


class Street(Town):
    """A town whose gateway keeps its own outbound door, with an integration at each provider."""

    def __init__(self, house: House, apps: dict[str, Flask], bases: dict[str, str], seen: list[Seen]) -> None:
        self.house = house
        self.gateway = house.gateway
        self.rehearsal = apps["rehearsal"]
        self.app = create_app(house.gateway)
        self.apps = {urlsplit(base).netloc: apps[name] for name, base in bases.items()}
        self.bases, self.seen = bases, seen
        self.integrations: dict[str, Integration] = {"rehearsal": let_write(house)}
        for name, (_, client_id, secret) in REGISTERED.items():
            self.integrations[name] = _registered(house, name, client_id, secret, bases[name])

    # People and their accounts ----------------------------------------------------------------------

    def at_provider(self, url: str, person: str = "ada", **how: Any) -> str:
        """Sign in there; the browser's requests reach the provider by no socket, so they are not counted."""
        parts = urlsplit(url)
        app = self.apps[parts.netloc]
        if app is self.rehearsal:
            return super().at_provider(url, person, **how)
        answer = app.test_client().get(url, base_url=f"{parts.scheme}://{parts.netloc}")
        assert answer.status_code == 302, answer.text
        location: str = answer.headers["Location"]
        return location

    def joins(self, provider: str, person: str = "ada", *, sub: str = "", push: tuple[str, ...] = ()) -> dict[str, Any]:
        """Sign up, or link an account to `sub`; the token answer."""
        asked = {"integration": self.integrations[provider].id} | ({"link_user": sub} if sub else {})
        started, query = self.pushed(**asked, **({"offer_push": " ".join(push)} if push else {}))
        back = self.to_app(self.browser(), query, person, push=list(push))
        return self.finished(back, started, **({"link_user": sub} if sub else {}))

    def work(self) -> None:
        """Everything that workers do, until nothing is left to do."""
        for _ in range(20):
            if not sum(int(step.run() or 0) for step in outward(self.gateway)):
                break
        for step in keeping(self.gateway):
            step.run()

    def provider_fails(self, *rules: dict[str, Any]) -> None:
        """Failures of Rehearsal from now on."""
        assert self.rehearsal.test_client().post("/_control/faults", json=list(rules)).status_code == 200

    # What was sent and what was entered ---------------------------------------------------------------

    def received(self) -> Requests:
        """Requests about a person: provider and status → how many arrived there."""
        return Counter((one.provider, one.status) for one in self.seen if one.about_person)

    def entered(self) -> Requests:
        """The same by the ledger. `not_sent` says that none left."""
        names = {one.id: name for name, one in self.integrations.items()} | {self.house.integration.id: "rehearsal"}
        entries = [one for one in self.entries("provider_request") if one["outcome"] != "not_sent"]
        return Counter((names[one["integration"]], one["http_status"]) for one in entries)

    def unmatched(self) -> tuple[Requests, Requests]:
        """Requests without an entry, and entries without a request."""
        received, entered = self.received(), self.entered()
        return received - entered, entered - received

    def leaves(self) -> list[str]:
        """Every entry as it is hashed."""
        with self.gateway.store.read() as tx:
            return [one.text for one in show(tx, limit=100_000)]

    def enter(self, entry: Entry) -> None:
        from connector.ledger import append  # noqa: PLC0415  only for who writes what did not happen

        with self.gateway.store.transaction() as tx:
            append(tx, entry)


@contextmanager
def street(tmp_path: Path, store: Store, clock: ManualClock, patch: pytest.MonkeyPatch) -> Iterator[Street]:
    """Everybody on one clock."""
    for module in (facebook, github, google):
        patch.setattr(module, "time", SimpleNamespace(time=lambda: clock.now() / 1000))
    config = Config(rotation="none")  # a lost answer costs no grant here; that has tests of its own
    config.now, config.new_key = clock.now, shared_key
    apps = {name: module.create_app() for name, (module, _, _) in REGISTERED.items()}
    apps["rehearsal"] = rehearsal_app(config)
    seen: list[Seen] = []
    with ExitStack() as open_until:
        bases = {
            name: open_until.enter_context(serving(Recorder(name, app, seen)))  # type: ignore[arg-type]  # WSGI is all
            for name, app in apps.items()
        }
        house = make_house(tmp_path, store, clock, rehearsal_url=bases["rehearsal"])
        open_until.callback(house.gateway.egress.close)
        yield Street(house, apps, bases, seen)


def _registered(house: House, provider: str, client_id: str, secret: str, base: str) -> Integration:
    new = NewIntegration(
        house.tenant.id,
        provider,
        client_id=client_id,
        client_secret=Secret(secret),
        scopes=SCOPES[provider],
        imports=("profile", "contacts") if provider == "google" else ("profile",),
        settings={"base_url": base},
    )
    with house.gateway.store.transaction() as tx:
        return add_integration(tx, house.gateway.vault, new, development=True)


def dump(store: Store) -> bytes:
    """Every row of every table, as text: what a thief of the database reads."""
    from connector.storage.schema import metadata  # noqa: PLC0415  only here

    with store.read() as tx:
        rows = [
            {
                name: bytes(value).hex() if isinstance(value, bytes | memoryview) else value
                for name, value in dict(row).items()
            }
            for table in metadata.sorted_tables
            for row in tx.all(f'SELECT * FROM "{table.name}"')
        ]
    return json.dumps(rows, default=str, ensure_ascii=False).encode()


def _text(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value
