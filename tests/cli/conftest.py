from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from connector import app
from connector.cli import main
from connector.flows import rotate_keys
from connector.policy import Policy, Report, Version, load_sound_policy, prove
from connector.settings import Settings, shipped
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


@pytest.fixture(autouse=True)
def _each_policy_is_proven_once(monkeypatch):
    """Every command that starts a gateway proves the whole policy; what it proved is remembered by the files' hash."""
    monkeypatch.setattr(import_module("connector.policy.check"), "prove", _proven)
    monkeypatch.setattr(app, "sound_policy", _sound_policy)


_PROOFS: dict[str, Report] = {}
_sound = app.sound_policy
_shipped = cache(load_sound_policy)


def _proven(version: Version) -> Report:
    if version.sha256 not in _PROOFS:
        _PROOFS[version.sha256] = prove(version)
    return _PROOFS[version.sha256]


def _sound_policy(settings: Settings) -> Policy:
    own = settings.policy.directory or settings.policy.text
    return _sound(settings) if own else _shipped(shipped("policy"))


@pytest.fixture(autouse=True)
def _nobody_else_is_about(monkeypatch):
    """A rotation gives other processes their time to let go of old keys; here there are none."""
    monkeypatch.setattr(rotate_keys, "DRAIN_S", 0.05)


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
