"""A connection whose person agreed to imports and switched on pushes, with what tests ask of its records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from connector import consent, records
from connector.clients import add_client
from connector.consent import Direction, Given
from connector.flows import edit_profile, import_records, push_update
from connector.flows.read_records import read_contacts, read_profile
from connector.http import create_app
from connector.model.tags import Purpose
from connector.people import find_user
from tests.connected import Linked
from tests.gateways import api_token, bearer, web_client

CATEGORIES = {"profile": ["profile", "contact"], "contacts": ["people"]}
WRITING = ("openid", "profile", "email", "phone", "address", "contacts", "profile:write")


def agree(
    town: Linked, direction: str, *groups: str, connection_id: str = "", categories: list[str] | None = None
) -> list[str]:
    """The person's choices, as the consent page writes them; their ids."""
    connection = town.connection(connection_id)
    made = []
    with town.store.transaction() as tx:
        for group in groups:
            consent_id, _ = consent.new_consent_id(tx, connection.id, Direction(direction), group)
            process = {"categories": categories if categories is not None else CATEGORIES.get(group, ["profile"])}
            given = Given(
                consent_id,
                connection.tenant_id,
                connection.sub,
                connection.id,
                connection.integration_id,
                Direction(direction),
                group,
                "2019-03-11",
                b"f" * 32,
                {"id": consent_id, "process": [process]},
            )
            made.append(consent.give(tx, town.gateway.vault, given).id)
    return made


def grant_scopes(town: Linked, *scopes: str, connection_id: str = "") -> None:
    """Give a connection these scopes, here and at the provider."""
    from connector import connections  # noqa: PLC0415  beside the one use

    connection = town.connection(connection_id)
    with town.store.transaction() as tx:
        columns: Mapping[str, Any] = {"granted_scopes": json.dumps(scopes)}
        connections.move(tx, town.gateway.vault, connection, connection.state, columns=columns)
    for grant in town.provider.grants.values():
        grant.scopes = scopes


def imported(town: Linked, connection_id: str = "") -> dict[str, Any]:
    """Ask for an import and run what there is; the newest import's row."""
    queue_import(town, connection_id)
    run_imports(town)
    return newest_import(town, connection_id)


def queue_import(town: Linked, connection_id: str = "") -> int:
    connection = town.connection(connection_id)
    with town.store.transaction() as tx:
        return records.queue_import(tx, connection.tenant_id, connection.id, "app").number


def run_imports(town: Linked) -> None:
    for _ in range(20):
        if not import_records.step(town.gateway):
            return


def newest_import(town: Linked, connection_id: str = "") -> dict[str, Any]:
    with town.store.read() as tx:
        row = tx.one(
            "SELECT * FROM imports WHERE connection_id = :id ORDER BY number DESC LIMIT 1",
            id=connection_id or town.connection_id,
        )
    assert row is not None
    return {**row, "counts": json.loads(row["counts"])}


def typed(town: Linked, patch: Mapping[str, Any], connection_id: str = "") -> edit_profile.Edited:
    """The person types something in."""
    return edit_profile.edit_profile(town.gateway, town.house.web, town.connection(connection_id).sub, patch)


def push_all(town: Linked) -> int:
    """Send what waits; how many deliveries were worked on."""
    done = 0
    while done < 20 and push_update.step(town.gateway):
        done += 1
    return done


def deliveries(town: Linked) -> list[dict[str, Any]]:
    with town.store.read() as tx:
        rows = tx.all("SELECT * FROM deliveries ORDER BY created_at, id")
    return [{**row, "outcome": json.loads(row["outcome"] or "null")} for row in rows]


def profile_values(town: Linked, purpose: str = "service") -> dict[str, Any]:
    """What a worker may read of the profile: pointer → value."""
    view = read_profile(town.gateway, town.house.web, town.connection().sub, Purpose(purpose))
    return {one.stored.pointer: one.value for one in view.shown}


def contact_cards(town: Linked) -> list[Any]:
    return read_contacts(town.gateway, town.house.web, town.connection().sub, Purpose.SERVICE, after="", limit=1000)


def names(town: Linked) -> list[str]:
    """The given names of all contacts that can be read."""
    parts = [one.value for view in contact_cards(town) for one in view.shown if one.stored.pointer == "/name"]
    return [part["components"][0]["value"] for part in parts]


def writes(town: Linked) -> list[dict[str, Any]]:
    """What the provider's oracle saw being written, effects and repeats."""
    found: list[dict[str, Any]] = town.provider.oracle.report()["writes"]
    return found


def set_person(town: Linked, person: str = "ada", **fields: Any) -> None:
    """Change somebody at the provider."""
    town.provider.profiles[person].fields |= fields
    town.provider.profiles[person].revision += 1


def user_of(town: Linked) -> Any:
    with town.store.read() as tx:
        return find_user(tx, town.gateway.vault, town.house.tenant.id, town.connection().sub)


class Api:
    """The JSON API as a client of the house sees it."""

    def __init__(self, town: Linked, *, scopes: tuple[str, ...] = (), rival: bool = False) -> None:
        house = town.house
        self.app = create_app(house.gateway)
        client, secret = (house.other, house.other_secret) if rival else (house.web, house.web_secret)
        self.headers = bearer(api_token(self.app, client, secret, *scopes))

    def __call__(self, method: str, path: str, **more: Any) -> Any:
        headers = {**self.headers, **more.pop("headers", {})}
        return self.app.test_client().open(path, method=method, headers=headers, **more)


def narrow_client(town: Linked, *integrations: str) -> Any:
    """A further web client of the tenant that may see these integrations alone; (client, secret)."""
    with town.store.transaction() as tx:
        new = web_client(town.house.tenant, name="narrow", integrations=integrations)
        return add_client(tx, town.gateway.vault, new, development=True)
