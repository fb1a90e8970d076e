"""The service files and the operator's page speak of commands, settings and metrics that there are."""

from __future__ import annotations

import json
import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from connector.cli import document, main
from connector.cli.children import END_WITHIN_S
from connector.settings.names import KNOWN
from connector.settings.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = dict(document.commands(main))
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
UNITS = ("connector.service", "connector-worker.service")


def command_of(words: list[str]) -> click.Command:
    """The command that these words call, its options parsed as it would."""
    for length in (2, 1):
        found = COMMANDS.get(" ".join(["connector", *words[:length]]))
        if found is not None:
            found.make_context("connector", words[length:], resilient_parsing=False)
            return found
    raise AssertionError(f"no such command: connector {' '.join(words)}")


def unit(name: str) -> ConfigParser:
    read = ConfigParser(strict=False, interpolation=None, comment_prefixes="#")
    read.optionxform = str  # type: ignore[assignment,method-assign]  # systemd tells capitals apart
    read.read(shipped("service", name))
    return read


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_command_that_is_there(name):
    words = shlex.split(unit(name)["Service"]["ExecStart"])
    assert words[0].endswith("/connector")
    command_of(words[1:])


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_leaves_time_to_finish_and_tells_the_parent_alone(name):
    service = unit(name)["Service"]
    assert int(service["TimeoutStopSec"]) > END_WITHIN_S
    assert service["KillMode"] == "mixed"


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_may_write_to_its_own_state_and_nowhere_else(name):
    service = unit(name)["Service"]
    assert (service["ProtectSystem"], service["NoNewPrivileges"], service["UMask"]) == ("strict", "yes", "0077")
    assert "ReadWritePaths" not in service


def test_the_container_runs_a_command_that_is_there_as_nobody_special():
    text = shipped("service", "Containerfile").read_text(encoding="utf-8")
    (words,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    command_of(json.loads(words))
    assert text.index("\nUSER connector") < text.index("\nENTRYPOINT")
    for variable in re.findall(r"CONNECTOR_(\w+__\w+)=", text):
        assert variable.replace("__", ".").lower() in KNOWN


def test_every_command_on_the_operators_page_is_there():
    lines = [
        line.partition("#")[0]
        for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
    ]
    spans = re.findall(r"`(connector [^`]+)`", PAGE)
    found = [text for text in (*lines, *spans) if text.startswith("connector ")]
    assert len(found) > 15
    for text in found:
        words = shlex.split(text)[1:]
        if "…" in text or text.count(" ") < 2 or set(words) & {"JWKS", "F", "P", "TIME", "FILE", "DIR"}:
            assert any(name.startswith(f"connector {words[0]}") for name in COMMANDS), text
        elif "google.secret" not in text:
            command_of(words)


def test_every_setting_on_the_operators_page_is_there():
    for name in re.findall(r"`((?:server|vault|policy|redis|database)\.\w+)`", PAGE):
        assert name in KNOWN or name.startswith("vault.row"), name


def test_every_metric_and_event_on_the_operators_page_is_there():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "connector").rglob("*.py"))
    for metric in re.findall(r"`(connector_\w+)", PAGE):
        assert f'"{metric}' in sources, metric
    events = re.findall(r"`((?:vault|signup_link|work|worker|gateway)\.\w+)`", PAGE)
    for event in events:
        assert event in KNOWN or f'"{event}"' in sources, event
