"""`init` makes what is missing, and never overwrites what is there."""

from __future__ import annotations

import json
import stat

import pytest

from connector.cli.settings_file import settings_file
from connector.settings import load
from connector.settings.names import KNOWN
from tests.cli.conftest import run
from tests.gateways import signing_keys


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch):
    """RSA keys take a second each; these are as real, and made once."""
    monkeypatch.setattr("connector.cli.init.generate_signing_keys", signing_keys)


def steps(*words: str) -> dict[str, bool]:
    done = run("init", *words, "--json")
    assert done.exit_code == 0, done.output
    return {one["what"]: one["made"] for one in json.loads(done.stdout)["steps"]}


def test_an_empty_folder_becomes_a_gateway(tmp_path):
    made = steps("here", "--tenant", "shop")
    assert made == dict.fromkeys(("settings", "key", "database", "signing keys", "tenant"), True)
    key = tmp_path / "here" / "keys" / "kek.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "here" / "connector.toml").stat().st_mode) == 0o600
    assert json.loads(run("tenants", "list", "--config", "here/connector.toml", "--json").stdout)[0]["name"] == "shop"


def test_a_second_time_makes_nothing_and_changes_nothing(tmp_path):
    steps("here")
    before = {path: path.read_bytes() for path in (tmp_path / "here").rglob("*") if path.suffix in {".toml", ".json"}}
    assert not any(steps("here").values())
    assert {path: path.read_bytes() for path in before} == before


def test_settings_that_are_there_are_followed(tmp_path):
    (tmp_path / "connector.toml").write_text(
        '[server]\nmode = "development"\n[database]\nurl = "sqlite:///other.db"\n[vault]\nkek = "file:secret/k.json"\n'
    )
    assert steps(".")["settings"] is False
    assert (tmp_path / "other.db").is_file()
    assert (tmp_path / "secret" / "k.json").is_file()


def test_a_lost_key_is_not_replaced_where_something_is_sealed(tmp_path):
    steps("here")
    (tmp_path / "here" / "keys" / "kek.json").unlink()
    done = run("init", "here")
    assert done.exit_code == 1
    assert "Restore the key from your backup" in done.stderr
    assert not (tmp_path / "here" / "keys" / "kek.json").exists()


def test_production_is_told_what_is_still_missing_and_goes_on_once_it_is_there(tmp_path):
    done = run("init", "here", "--mode", "production", "--public-url", "https://connect.example.org")
    assert done.exit_code == 1
    assert "The section [policy] is missing" in done.stderr
    file = tmp_path / "here" / "connector.toml"
    lines = file.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line == "#[policy]")
    last = next(number for number, line in enumerate(lines) if line.startswith("## Bounds on"))
    decided = [line[1:] if line[:1] == "#" and line[1:2] not in {" ", "#", ""} else line for line in lines[first:last]]
    decided = [line for line in decided if not line.startswith("directory")]
    file.write_text("\n".join([*lines[:first], *decided, *lines[last:]]))
    assert steps("here")["database"] is True


def test_it_takes_a_folder_and_no_settings_file(tmp_path):
    done = run("init", "--config", str(tmp_path / "connector.toml"))
    assert done.exit_code == 2


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("init", "file/inside")
    assert done.exit_code == 2
    assert "name another folder" in done.stderr


def test_the_file_names_every_setting_in_its_own_words():
    text = settings_file({"mode": "development"}, "sqlite:///connector.db")
    for known in KNOWN.values():
        assert f"# {known.field.description}\n" in text
        assert f"{known.name.rpartition('.')[2]} =" in text


def test_the_file_it_writes_can_be_read(tmp_path):
    (tmp_path / "connector.toml").write_text(
        settings_file({"mode": "development", "bind": "127.0.0.1:9000"}, "sqlite:///connector.db")
    )
    assert load(key_needed=False, environ={}, directory=tmp_path).server.public_url == "http://127.0.0.1:9000"
