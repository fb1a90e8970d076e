"""What the README has a newcomer run, run: the web app as it is printed, and a worker's first token by curl."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.model.clock import SystemClock
from connector.storage import Store
from tests.journeys.test_sign_up_with_stock_clients import Street, free_port
from tests.services.gaps import gap

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def block(heading: str, language: str, containing: str) -> str:
    """The code block under a heading that has `containing` in it."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return next(each for each in found if containing in each)


def test_the_app_signs_up_and_the_worker_gets_its_token(
    tmp_path: Path,
    open_another: Callable[..., Store],
    loopback_server: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if shutil.which("curl") is None:
        gap("curl", "no curl on PATH; install the package curl")
    street = Street(tmp_path, open_another(SystemClock()), loopback_server)
    connection = signed_up(street, loopback_server, monkeypatch)
    said = first_token(street, connection)
    assert said["token_type"].lower() == "bearer"
    assert said["expires_in"] > 60
    assert said["access_token"]
    assert "refresh_token" not in said


def signed_up(street: Street, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The connection that the README's own app shows at the end of a sign-up."""
    port = free_port()
    home = f"http://127.0.0.1:{port}"
    client, secret = street.new_client(f"{home}/callback")
    for name, value in (("GATEWAY", street.issuer), ("CLIENT_ID", client.id), ("CLIENT_SECRET", secret.reveal())):
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {"__name__": "app"}
    exec(block("Your web app in five minutes", "python", "authorize_redirect"), names)  # noqa: S102  the README's own
    serve(names["app"], port)
    browser = requests.Session()
    back = street.walk(f"{home}/login", "ada", until=f"{home}/callback", browser=browser)
    shown = browser.get(back, timeout=10).json()
    assert shown["user"].startswith("usr_")
    return str(shown["connection"])


def first_token(street: Street, connection: str) -> dict[str, Any]:
    """The answer to the README's own curl command."""
    house = street.house
    given = {
        "GATEWAY": street.issuer,
        "WORKER_ID": house.worker.id,
        "WORKER_SECRET": house.worker_secret.reveal(),
        "CONNECTION": connection,
    }
    command = block("A worker takes its first token", "sh", "curl")
    done = subprocess.run(
        ["bash", "-c", command], env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    assert "error" not in answer, answer
    return answer
