"""`atelier workers` against a running system."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import wait_until

pytestmark = pytest.mark.waits


def only_worker(atelier):
    (worker,) = json.loads(atelier("workers", "list", "--json").stdout)
    return worker


def test_a_worker_is_listed_drained_and_resumed(atelier):
    wait_until(lambda: json.loads(atelier("workers", "list", "--json").stdout))
    worker = only_worker(atelier)
    listed = atelier("workers")
    assert listed.returncode == 0, listed.stderr
    assert worker["id"] in listed.stdout
    assert worker["hostname"] in listed.stdout

    drained = atelier("workers", "drain", worker["id"])
    assert (drained.returncode, drained.stdout) == (0, f"{worker['id']}: draining\n")
    assert only_worker(atelier)["state"] == "draining"

    resumed = atelier("workers", "resume", worker["id"])
    assert (resumed.returncode, resumed.stdout) == (0, f"{worker['id']}: idle\n")


def test_release_is_asked_for(atelier):
    worker_id = only_worker(atelier)["id"]
    assert atelier("workers", "drain", worker_id, "--release").returncode == 0
    assert only_worker(atelier)["releasing"]
    atelier("workers", "resume", worker_id)
    assert not only_worker(atelier)["releasing"]


def test_an_unknown_worker_is_said_to_be_so(atelier):
    refused = atelier("workers", "drain", "wrk_" + "0" * 32)
    assert refused.returncode != 0
    assert "no such worker" in refused.stderr
