"""What a command works with: the settings, and what they lead to, opened when asked for and closed at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property, wraps
from pathlib import Path
from typing import Any

import click
import structlog

from connector import app
from connector.cli.output import Output
from connector.flows.gateway import Gateway
from connector.model.clock import SystemClock
from connector.settings import Settings, load
from connector.storage import Store, open_store
from vault import Vault, harden_process


class Session:
    """One run of a command."""

    def __init__(self, config: Path | None, output: Output, closing: ExitStack) -> None:
        self.config = config
        self.out = output
        self.clock = SystemClock()
        self._closing = closing

    @cached_property
    def settings(self) -> Settings:
        """The settings in effect, key file checked. Raises Misconfigured."""
        return load(self.config)

    @cached_property
    def store(self) -> Store:
        """The database, its schema fitting. Raises Misconfigured."""
        store = open_store(self.settings.database.url, self.clock)
        self._closing.callback(store.dispose)
        app.check_schema(store)
        return store

    @cached_property
    def vault(self) -> Vault:
        """The vault over the configured key, every key in use opened. Raises Misconfigured."""
        harden_process()
        vault = app.open_vault(self.settings, self.clock)
        app.check_keys(self.store, vault)
        return vault

    @cached_property
    def gateway(self) -> Gateway:
        """The whole gateway, for commands that run a flow. Raises Misconfigured."""
        harden_process()
        gateway = app.build(self.settings, clock=self.clock, store=self.store)
        self._closing.callback(app.close, gateway)
        return gateway


def session_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--config` and `--json`, and hand it a session that is closed at its end."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The settings file; else CONNECTOR_CONFIG, else connector.toml here.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
    @wraps(command)
    def run(**given: Any) -> None:
        quiet_logs()
        config: Path | None = given.pop("config")
        output = Output(as_json=given.pop("as_json"))
        with ExitStack() as closing:
            command(Session(config, output, closing), **given)

    return run


def quiet_logs() -> None:
    """Events go to stderr and only from `error` on: stdout belongs to the command's answer."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("error"),
        logger_factory=_to_stderr,
        cache_logger_on_first_use=False,
    )


def _to_stderr(*_: Any) -> Any:
    return structlog.WriteLogger(sys.stderr)
