"""A gateway's process for tests that mean to kill it: a worker, or one caller who wants a token.

python -m tests.faults.process worker <settings as JSON>
python -m tests.faults.process ask <settings as JSON> <connection id>
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from connector import app
from connector.clients import clients_of
from connector.flows.fresh_token import Wanted, fresh_token
from connector.model.errors import ConnectorError
from connector.model.tags import Purpose
from connector.settings import development
from connector.work import Presence
from connector.worker import Worker
from tests.gateways import shipped_policy


def main(role: str, settings: dict[str, Any], *given: str) -> int:
    gateway = app.build(development(**settings), policy=shipped_policy())
    if role == "worker":
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        threading.Timer(0.3, lambda: print("runs", flush=True)).start()  # noqa: T201  the test waits for it
        return 0 if Worker(gateway).run(stop) else 1
    presence = Presence(gateway.store, gateway.worker_id, "listener")
    presence.start()
    with gateway.store.read() as tx:
        client = next(one for one in clients_of(tx, gateway.vault, given[1]) if one.name == "worker")
    try:
        fresh_token(gateway, client, Wanted(given[0], Purpose.SERVICE, min_ttl_s=1_000_000))
    except ConnectorError as error:
        print(error.code, flush=True)  # noqa: T201  the test reads it
    else:
        print("handed", flush=True)  # noqa: T201  the test reads it
    presence.stop()
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2]), *sys.argv[3:]))
