"""A process that will hold keys gives up core dumps and being looked into first: every way in, before the first key."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from connector import app
from connector.cli import listener, session
from connector.cli.output import Output


class Enough(Exception):
    """What comes after does not matter here."""


@pytest.fixture
def order(monkeypatch) -> list[str]:
    done: list[str] = []

    def opened(*_, **__):
        done.append("opened")
        raise Enough

    for module in (session, listener):
        monkeypatch.setattr(module, "harden_process", lambda: done.append("hardened"))
    monkeypatch.setattr(app, "open_vault", opened)
    monkeypatch.setattr(app, "build", opened)
    return done


@pytest.mark.parametrize("part", ["vault", "gateway"])
def test_a_command_is_hardened_before_it_opens_a_key(order, part, monkeypatch):
    monkeypatch.setattr(session.Session, "settings", SimpleNamespace())
    monkeypatch.setattr(session.Session, "store", SimpleNamespace())
    with ExitStack() as closing, pytest.raises(Enough):
        getattr(session.Session(None, Output(as_json=False), closing), part)
    assert order == ["hardened", "opened"]


def test_a_listener_is_hardened_before_it_opens_a_key(order, monkeypatch):
    monkeypatch.setattr(listener, "load", lambda _path: SimpleNamespace(log=None))
    monkeypatch.setattr(listener.logs, "configure", lambda _log: None)
    with pytest.raises(Enough):
        listener._door(Path("connector.toml"), "public")
    assert order == ["hardened", "opened"]
