"""The ledger as tiles: another's reader finds the same tree, and a second export writes only what is new."""

from __future__ import annotations

import pytest

from connector.flows.export_ledger import export_tiles
from connector.ledger import Entry, append_all
from connector.model.errors import BadInput
from connector.model.ids import new_id
from tests.gateways import make_gateway
from tests.ledger.tile_reader import Tiles

TENANT = "ten_abc"


def fill(gateway, number):
    with gateway.store.transaction() as tx:
        append_all(tx, [Entry("portal_opened", TENANT, None, {"client": new_id("cli")}) for _ in range(number)])


@pytest.fixture
def gateway(tmp_path, store, clock):
    return make_gateway(tmp_path, store, clock)


def export(gateway, folder):
    return export_tiles(gateway, folder, lambda _: None)


def test_another_reader_finds_the_same_tree_at_every_size(gateway, tmp_path):
    folder = tmp_path / "tiles"
    for more in (0, 1, 254, 1, 1, 300):
        fill(gateway, more)
        note, _ = export(gateway, folder)
        read = Tiles(folder)
        assert note.startswith(f"{read.origin}\n{read.size}\n")
        assert read.holds()
    assert read.size >= 557


def test_a_second_export_leaves_full_tiles_alone(gateway, tmp_path):
    fill(gateway, 600)
    _, first = export(gateway, tmp_path / "tiles")
    full = tmp_path / "tiles/tile/0/000"
    before = full.stat().st_mtime_ns
    fill(gateway, 1)
    _, second = export(gateway, tmp_path / "tiles")
    assert second < first
    assert full.stat().st_mtime_ns == before
    assert Tiles(tmp_path / "tiles").holds()


def test_another_ledgers_folder_is_left_alone(gateway, tmp_path):
    (tmp_path / "tiles").mkdir()
    (tmp_path / "tiles/checkpoint").write_text("other.example/log\n3\nAAAA\n\n")
    with pytest.raises(BadInput, match="another ledger"):
        export(gateway, tmp_path / "tiles")


@pytest.mark.parametrize("tile", ["tile/0/000", "tile/entries/000", "tile/1/000.p/2"])
def test_twin_an_edited_tile_is_found_by_its_reader(gateway, tmp_path, tile):
    fill(gateway, 600)
    export(gateway, tmp_path / "tiles")
    file = tmp_path / "tiles" / tile
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes(data)
    assert not Tiles(tmp_path / "tiles").holds()
