"""Names of tiles, as c2sp.org/tlog-tiles gives them."""

from __future__ import annotations

import pytest

from connector.ledger.tiles import _path


@pytest.mark.parametrize(
    ("kind", "number", "width", "path"),
    [
        ("0", 0, 256, "tile/0/000"),
        ("0", 5, 1, "tile/0/005.p/1"),
        ("1", 1000, 256, "tile/1/x001/000"),
        ("2", 1234067, 256, "tile/2/x001/x234/067"),
        ("entries", 1234067, 7, "tile/entries/x001/x234/067.p/7"),
    ],
)
def test_a_tile_is_called(kind, number, width, path):
    assert _path(kind, number, width) == path
