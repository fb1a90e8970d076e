"""`connector policy`: explained for a person, compared, announced, exported."""

from __future__ import annotations

import json
import time

import pytest

from tests.agreed import agree
from tests.cli.conftest import run
from tests.policy.successors import NAME, folder

DAY = 86_400_000


def test_explain_says_for_a_person_what_is_open_by_which_clause_and_what_closes_it(desk, town):
    agree(town, "push", "phones")
    sub = town.connection().sub
    (flow,) = desk.json("policy", "explain", "push", "contact", "--provider", "rehearsal", "--user", sub)
    cases = {case["what"]: case for case in flow["cases"]}
    phones = cases["Phones, typed in by you, to Rehearsal"]
    assert (phones["open"], phones["clause"]) == (True, "3a")
    assert phones["switch"]["words"] == "Switch off phones for Rehearsal"
    emails = cases["Emails, typed in by you, to Rehearsal"]
    assert (emails["open"], emails["rule"], emails["switch"]) == (False, "push-without-opt-in", None)
    assert "Refused by clause 3a" in emails["explanation"]
    shown = desk.run("policy", "explain", "push", "contact", "--user", sub)
    assert "push-without-opt-in" not in shown.stdout
    assert "Switch off phones for Rehearsal" in shown.stdout


def test_explain_without_a_person_says_under_which_conditions_a_flow_is_open():
    (flow,) = json.loads(run("policy", "explain", "push", "contact", "--json").stdout)
    assert flow["open_for"] == [
        "your addresses and numbers, that you typed in, while the other account is connected, if you agreed to it"
    ]
    assert "push-without-opt-in" in flow["refused_by"]
    transfer = json.loads(run("policy", "explain", "share", "contact", "--provider", "google", "--json").stdout)
    acquirer = next(one for one in transfer if one["flow"] == "share acquirer transfer")
    assert "google-transfer-by-consent" in acquirer["refused_by"]


def test_explain_knows_no_stranger_and_no_other_words(desk):
    assert desk.run("policy", "explain", "--user", "usr_nobody").exit_code == 1
    assert run("policy", "explain", "fling").exit_code == 2


def test_a_wider_version_is_compared_announced_and_only_then_loaded(desk, tmp_path):
    now = round(time.time() * 1000)
    versions = folder(tmp_path, now + 31 * DAY)
    desk.config.write_text(
        desk.config.read_text(encoding="utf-8") + f'[policy]\ndirectory = "{versions}"\n', encoding="utf-8"
    )
    found = desk.json("policy", "diff", "2019-03-11", NAME)
    assert (found["widens"], found["closed"], found["opened"] > 1_000) == (True, 0, True)
    assert {change["terms"] for change in found["changes"]} == {"google"}
    assert "What becomes possible:" in desk.run("policy", "diff", "2019-03-11", NAME).stdout

    refused = desk.run("policy", "explain", "push", "--user", "usr_nobody")
    assert (refused.exit_code, f"connector policy announce {NAME}" in refused.stderr) == (1, True)

    made = desk.json("policy", "announce", NAME)
    assert (made["new"], made["tenants"], made["version"]) == (True, 2, NAME)
    assert "Announced already" in desk.run("policy", "announce", NAME).stdout
    assert "user" in desk.run("policy", "explain", "push", "--user", "usr_nobody").stderr
    assert desk.json("policy", "check")["version"] == NAME


def test_a_version_that_would_come_too_soon_is_not_announced(desk, tmp_path):
    versions = folder(tmp_path, round(time.time() * 1000) + 10 * DAY)
    done = desk.run("policy", "announce", NAME, "--directory", str(versions))
    assert (done.exit_code, "notice window of 30 days" in done.stderr) == (1, True)


def test_the_export_is_a_cedar_policy_set():
    text = run("policy", "export", "--cedar").stdout
    assert '@id("push-opted-in")\n@clause("3a")' in text
    assert json.loads(run("policy", "export", "--cedar", "--json").stdout)["cedar"].count("@id(") > 60
    assert run("policy", "export").exit_code == 2
    assert run("policy", "export", "--cedar", "--version", "1999-01-01").exit_code == 2


@pytest.mark.parametrize("words", [("diff", "2019-03-11", "nowhere"), ("announce", "nowhere")])
def test_a_version_that_is_none_is_told_with_those_there_are(desk, words):
    done = desk.run("policy", *words)
    assert (done.exit_code, "there are: 2019-03-11" in done.stderr) == (2, True)
