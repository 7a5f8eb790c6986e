"""The services around one database and one object store."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from storage.memory import MemoryStorage
from workers.house import House


def test_all_of_it_stands_on_one_database_and_one_storage(sqlite_database, tmp_path, monkeypatch):
    monkeypatch.setenv("ATELIER_NETWORKS_DIR", str(tmp_path / "networks"))
    storage = MemoryStorage()
    house = House.of(sqlite_database, storage)
    for store in (house.store, house.files, house.networks):
        assert store.database is sqlite_database
    assert house.storage is storage
    assert house.fleet.workers() == []
    assert not (tmp_path / "networks").exists(), "nothing is made before it is needed"


def test_a_service_is_exchanged_for_a_whole_house_or_not_at_all(sqlite_database):
    house = House.of(sqlite_database, MemoryStorage())
    with pytest.raises(FrozenInstanceError):
        house.storage = MemoryStorage()
    other = replace(house, storage=MemoryStorage())
    assert other.storage is not house.storage
    assert other.store is house.store
