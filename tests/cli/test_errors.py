"""Every error is one sentence on stderr with the right exit code, and never a traceback or a secret."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from connector.cli import root
from connector.model.errors import BadInput, Conflict, Misconfigured, NotFound, RefusedByPolicy, TryLater
from tests.cli.conftest import run


def failing(error: Exception) -> click.Group:
    group = root.Root("connector")

    @click.command()
    def act() -> None:
        raise error

    group.get_command = lambda ctx, name: act  # type: ignore[method-assign]  # a noun of the test's own
    return group


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BadInput("bad", "Write it so."), 2, "Error: Write it so.\n"),
        (NotFound("tenant"), 1, "Error: No such tenant.\n"),
        (Conflict("there", "Choose another."), 1, "Error: Choose another.\n"),
        (Misconfigured("key", "Run this."), 1, "Error: Run this.\n"),
        (TryLater("Later.", retry_after_s=2), 1, "Error: Later.\n"),
        (RefusedByPolicy("3", "Not sold."), 3, "Error: Refused by clause 3: Not sold.\n"),
        (RefusedByPolicy("3", "Refused by clause 3: Not sold."), 3, "Error: Refused by clause 3: Not sold.\n"),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_code(error, code, words):
    done = CliRunner().invoke(failing(error), ["act"])
    assert (done.exit_code, done.stderr, done.stdout) == (code, words, "")


def test_a_defect_names_its_place_and_no_values():
    done = CliRunner().invoke(failing(KeyError("gwcs_a-secret")), ["act"])
    assert done.exit_code == 1
    assert "This is a defect (KeyError in act" in done.stderr
    assert "gwcs_a-secret" not in done.output
    assert "Traceback" not in done.output


def test_a_defect_is_shown_whole_to_who_asks(monkeypatch):
    monkeypatch.setenv("CONNECTOR_TRACEBACK", "1")
    assert "Traceback" in CliRunner().invoke(failing(KeyError("x")), ["act"]).stderr


def test_a_folder_without_settings_is_told_to_make_some():
    done = run("tenants", "list")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: There is no connector.toml in ")
    assert "connector init" in done.stderr


def test_an_unknown_setting_is_named_with_its_nearest(tmp_path):
    (tmp_path / "connector.toml").write_text('[server]\nmode = "development"\npublik_url = "http://127.0.0.1:1"\n')
    done = run("tenants", "list")
    assert done.exit_code == 1
    assert "did you mean server.public_url" in done.stderr


def test_a_key_that_others_may_read_stops_the_command_with_the_way_to_mend_it(desk):
    (desk.folder / "kek.json").chmod(0o644)
    done = desk.run("tenants", "list")
    assert done.exit_code == 1
    assert "chmod 600" in done.stderr
