"""Writes down a database as a released version leaves it: every row, and the key file that opens it. Test data only.

Run it in a checkout of that version, with its own tests on the path:

    git worktree add /tmp/released <commit>
    cp tests/upgrades/dump.py /tmp/released/dump.py
    cd /tmp/released && PYTHONPATH=. python dump.py .../tests/upgrades/released_0001.json

`released_0001.json` was made so, with revision 0001.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from connector.flows import import_records
from connector.flows.edit_profile import edit_profile
from connector.flows.evidence import sign_ledger
from connector.flows.revoke import revoke
from connector.model.states import Ended
from connector.storage import current_revision, open_store, upgrade
from connector.storage.schema import metadata
from tests.clock import ManualClock
from tests.signing_up import Town, make_town


def main() -> None:
    """Live a little, and write down what is there then."""
    with tempfile.TemporaryDirectory() as folder:
        path, clock = Path(folder), ManualClock()
        store = open_store(f"sqlite:///{path / 'connector.db'}", clock)
        upgrade(store)
        town = make_town(path, store, clock)
        ada = live(town)
        with store.read() as tx:
            tables = {
                name: [{key: packed(row[key]) for key in row.keys()} for row in tx.all(f'SELECT * FROM "{name}"')]  # noqa: SIM118  sqlite3.Row
                for name in sorted(metadata.tables)
            }
        document = {
            "revision": current_revision(store),
            "now": clock.now(),
            "kek": json.loads((path / "kek.json").read_text()),
            "tenant": town.house.tenant.id,
            "worker": town.house.worker.id,
            "sub": ada["claims"]["sub"],
            "connection": ada["connection"],
            "issuer": town.house.integration.issuer,
            "tables": tables,
        }
        Path(sys.argv[1]).write_text(json.dumps(document, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def live(town: Town) -> dict[str, Any]:
    """Two people; one imports, types something and stays, the other ends it."""
    ada, bob = town.sign_up("ada"), town.sign_up("bob")
    while import_records.step(town.gateway):
        pass
    edit_profile(town.gateway, town.house.web, ada["claims"]["sub"], {"name": {"full": "Ada L."}})
    revoke(town.gateway, town.house.tenant.id, bob["connection"], by=Ended.PERSON)
    with town.gateway.store.transaction() as tx:
        sign_ledger(town.gateway, tx)
    return ada


def packed(value: Any) -> Any:
    """A value of a row as JSON."""
    return {"b": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


if __name__ == "__main__":
    main()
