"""Serving the pretend provider on a socket, for the command line, the demonstration and tests."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from providers.rehearsal.server.app import create_app
from providers.rehearsal.server.config import Config


class _Quiet(WSGIRequestHandler):
    """Logs nothing by itself: the oracle knows more, and a browser's query string is nobody's business."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's own name
        """Nothing."""


class Server:
    """A running pretend provider. A context manager; `url` is its issuer."""

    def __init__(self, app: Flask, server: BaseWSGIServer) -> None:
        self.app = app
        self.url = f"http://{server.host}:{server.port}"
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="rehearsal", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving, and wait until it has."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self) -> None:
        """Until it stops."""
        self._thread.join()


def start(bind: str = "127.0.0.1:0", config: Config | None = None) -> Server:
    """Serve in a thread of this process; port 0 takes a free one.

    Raises:
        ValueError: `bind` is not host:port.
        OSError: the port is taken.
    """
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{bind} is no address; write it as 127.0.0.1:8090.")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = create_app(config)
    return Server(app, make_server(host, int(port), app, threaded=True, request_handler=_Quiet))


def run(bind: str, faults: str | Path | None = None, config: Config | None = None) -> None:
    """Serve until interrupted. `faults` is a JSON file with a list of rules.

    Raises:
        ValueError: the file is no list of fault rules, or `bind` is no address.
        OSError: the file cannot be read, or the port is taken.
    """
    config = config or Config()
    if faults is not None:
        config = replace(config, faults=read_faults(Path(faults)))
    with start(bind, config) as server:
        try:
            server.wait()
        except KeyboardInterrupt:
            return


def read_faults(path: Path) -> list[dict[str, Any]]:
    """The rules in a file. Raises ValueError where it is no JSON list."""
    rules = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rules, list):
        raise ValueError(f"{path.name} must hold a JSON list of fault rules.")  # noqa: TRY004  the content is wrong, not its type here
    return rules
