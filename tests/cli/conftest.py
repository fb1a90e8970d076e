from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from connector.cli import main
from connector.storage import Store
from tests.connected import Linked, linked


@dataclass(frozen=True)
class Desk:
    """An operator at the command line of a gateway that is there."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "connector.toml"

    def run(self, *words: str, typed: str | None = None) -> Result:
        """Run a command with this gateway's settings."""
        return run(*words, "--config", str(self.config), typed=typed)

    def json(self, *words: str, exit_code: int = 0) -> Any:
        """The document that a command prints with --json."""
        done = self.run(*words, "--json")
        assert done.exit_code == exit_code, done.output
        return json.loads(done.stdout)

    def file(self, name: str, text: str, mode: int = 0o600) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return str(path)


def run(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, words, input=typed)


@pytest.fixture(autouse=True)
def _logs_as_before():
    """Commands set up the logs of their process; here it is shared with other tests."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch, tmp_path):
    """No gateway but the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONNECTOR_CONFIG", raising=False)


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: Any) -> Linked:
    """A gateway with a tenant, clients, Rehearsal, and one person's connection. On both databases."""
    return linked(tmp_path, store, clock)


@pytest.fixture
def desk(tmp_path: Path, town: Linked) -> Desk:
    """The command line of that gateway."""
    made = Desk(tmp_path)
    made.config.write_text(
        f'[server]\nmode = "development"\n[database]\nurl = "{town.store.url}"\n'
        f'[vault]\nkek = "file:{tmp_path / "kek.json"}"\n',
        encoding="utf-8",
    )
    return made
