"""`atelier networks` against the real API in this process, and a worker played by hand."""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from click.testing import CliRunner

from api import create_app
from api.settings import Settings
from cli import context
from cli.errors import explained
from cli.main import main
from client import Client
from accounts.store import AccountStore
from jobs.store import JobStore, NewArtifact
from queue_config import Doorbell
from storage.memory import MemoryStorage

PICKLE = b"\x80\x04 tensors"
CONFIG = {"resolution": 256, "channels": 3, "classes": 10, "z_dim": 512, "w_dim": 512}
CONFIG |= {"class_names": [f"class {number}" for number in range(10)], "has_average": True}


class House:
    """The server, and its only worker."""

    def __init__(self, database, monkeypatch, folder) -> None:
        monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        self.store, self.storage, self.folder = JobStore(database), MemoryStorage(), folder
        settings = Settings(rate_per_minute=0, max_network_bytes=1000)
        self.app = create_app(self.store, self.storage, Doorbell(), settings)
        self.key = AccountStore(database).create_key("ada")[0]
        monkeypatch.setattr(context, "client", lambda _ctx: self.client())

    @contextmanager
    def client(self) -> Iterator[Client]:
        url = "http://127.0.0.1:9"
        with explained(url), Client(url, self.key, transport=httpx.WSGITransport(app=self.app)) as made:
            yield made

    def run(self, *arguments):
        return CliRunner().invoke(main, ["--data-dir", str(self.folder), "networks", *arguments])

    def file(self, data=PICKLE):
        path = self.folder / "style.pkl"
        path.write_bytes(data)
        return str(path)

    def convert(self, *, fail=False):
        """Wait for the next upload and convert it."""
        give_up = time.monotonic() + 120
        while not (jobs := self.store.claim("wrk_1", "cpu", engines=["stylegan_import"], lease_seconds=60)):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        (job,) = jobs
        if fail:
            self.store.fail(job.id, 1, code="bad_network", detail="This pickle would run code.")
            return
        sha256 = hashlib.sha256(job.id.encode()).hexdigest()
        key = f"jobs/{job.id}/1/out/{sha256}.safetensors"
        self.storage.put(key, io.BytesIO(b"tensors"))
        made = NewArtifact("n", key, "application/octet-stream", 2048, sha256, meta={"config": CONFIG})
        self.store.succeed(job.id, 1, [made])

    def add(self, *arguments, fail=False):
        """`atelier networks add` while a worker is there."""
        worker = threading.Thread(target=self.convert, kwargs={"fail": fail})
        worker.start()
        done = self.run("add", *arguments)
        worker.join()
        return done


@pytest.fixture
def house(sqlite_database, monkeypatch, tmp_path) -> House:
    return House(sqlite_database, monkeypatch, tmp_path)


def test_a_network_from_its_upload_to_its_removal(house):
    done = house.add(house.file(), "--name", "flowers")
    assert done.exit_code == 0, done.output
    network_id = done.stdout.strip()
    assert re.fullmatch(r"net_[0-9a-f]{32}", network_id)
    assert "flowers: ready, 256x256 RGB, 10 classes" in done.stderr
    # it is listed and shown, by name and by id
    row = [line.split() for line in house.run("list").stdout.splitlines()][1]
    assert row[:3] == [network_id, "flowers", "ready"]
    assert "2.0 KiB" in house.run("list").stdout
    for name in ("flowers", network_id):
        text = house.run("show", name).stdout
        assert "classes 10, z 512, w 512" in text
        assert "sha256 " in text
    assert json.loads(house.run("show", "flowers", "--json").stdout)["id"] == network_id
    assert json.loads(house.run("list", "--json").stdout)["networks"][0]["config"] == CONFIG
    # the same again changes nothing and waits for nobody
    assert house.run("add", house.file(), "--name", "flowers").stdout.strip() == network_id
    # until it is removed
    assert house.run("remove", "flowers").stdout == "flowers: removed\n"
    gone = house.run("show", "flowers")
    assert gone.exit_code == 1
    assert "there is no network 'flowers'" in gone.stderr
    assert house.run("remove", network_id).exit_code == 1


def test_the_shipped_ones_are_listed_and_shown_and_stay(house):
    (row,) = [line for line in house.run("list").stdout.splitlines() if "planets-preview" in line]
    assert row.split()[:2] == ["planets-preview", "planets-preview"]
    assert "64x64 RGB, 12 classes" in row
    assert "shipped" in row
    shown = house.run("show", "planets-preview").stdout
    assert "shipped with Atelier" in shown
    assert "mars" in shown
    kept = house.run("remove", "planets-preview")
    assert kept.exit_code == 1
    assert "cannot be removed" in kept.stderr


def test_without_waiting(house):
    done = house.run("add", house.file(), "--name", "flowers", "--no-wait", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["state"] == "converting"
    assert house.run("list", "--state", "converting").stdout.count("flowers") == 1
    assert house.run("list", "--state", "ready").stdout.count("flowers") == 0
    assert "flowers" in house.run("show", "flowers").stdout


def test_what_cannot_be_converted_says_why_and_fails(house):
    done = house.add(house.file(), "--name", "flowers", fail=True)
    assert done.exit_code == 1
    assert "style.pkl cannot be used: This pickle would run code. (bad_network)" in done.stderr
    assert "This pickle would run code. (bad_network)" in house.run("show", "flowers").stdout


@pytest.mark.parametrize(
    ("data", "arguments", "code", "says"),
    [
        (b"", ("--name", "a"), 1, "empty"),
        (b"PK\x03\x04 torch.save", ("--name", "a"), 1, "torch.save"),
        (b"<!DOCTYPE html>", ("--name", "a"), 1, "style.pkl cannot be used: This is a web page"),
        (b"\x1f\x8b\x08 and so on", ("--name", "a"), 1, "unpack it first"),
        (b"version https://git-lfs.github.com/spec/v1", ("--name", "a"), 1, "Git LFS"),
        (PICKLE * 200, ("--name", "a"), 1, "1,000 bytes"),
        (PICKLE, ("--name", "No Name"), 1, "--name"),
        (PICKLE, ("--name", "a", "--shared"), 1, "admin"),
        (PICKLE, (), 2, "--name"),
    ],
)
def test_what_is_wrong_is_said(house, data, arguments, code, says):
    done = house.run("add", house.file(data), *arguments)
    assert done.exit_code == code, done.output
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_and_a_name_that_is_taken(house):
    assert house.run("add", "no.pkl", "--name", "a").exit_code == 2
    assert house.run("add", house.file(), "--name", "a", "--no-wait").exit_code == 0
    done = house.run("add", house.file(PICKLE + b"x"), "--name", "a")
    assert done.exit_code == 1
    assert "another network named a" in done.stderr
