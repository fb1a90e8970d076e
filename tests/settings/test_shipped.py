"""Data that ships is found in a checkout and in a wheel alike."""

from __future__ import annotations

import pytest

from connector.model.errors import Misconfigured
from connector.settings import shipped


def test_a_checkout_keeps_it_beside_the_package():
    assert shipped("defaults", "development.toml").parent.parent.name == "config"


def test_a_wheel_carries_it_inside_the_package(tmp_path):
    package = tmp_path / "connector"
    (package / "shipped" / "policy").mkdir(parents=True)
    assert shipped("policy", package=package) == package / "shipped" / "policy"


def test_what_does_not_ship_is_a_sentence_and_not_a_path_that_fails_later():
    with pytest.raises(Misconfigured, match="Install the package anew"):
        shipped("nothing-of-this-name")
