"""A gateway with two tenants, and the application over it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from connector.http import create_app
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import House, browser, make_house


@pytest.fixture
def house(tmp_path: Path, store: Store, clock: ManualClock) -> House:
    return make_house(tmp_path, store, clock)


@pytest.fixture
def app(house: House) -> Flask:
    return create_app(house.gateway)


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    return browser(app)
