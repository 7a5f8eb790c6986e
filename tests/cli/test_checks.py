"""What `atelier doctor` says of the Redis that an embedded system would use."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import checks, embedded


@pytest.fixture
def place(tmp_path):
    return checks.Place(tmp_path, {}, None)


def server(folder: Path, says: str) -> Path:
    """A redis-server that says this of itself and does nothing else."""
    made = folder / "redis-server"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(f"#!/bin/sh\necho '{says}'\n")
    made.chmod(0o755)
    return made


@pytest.mark.parametrize(
    ("version", "bundled", "level"),
    [
        ("6.2.14", True, checks.WARN),
        ("6.2.20", True, checks.OK),
        ("7.2.11", True, checks.OK),
        ("6.0.16", False, checks.OK),  # a distributor's, with the fixes carried back
        ("8.2.2", False, checks.OK),
    ],
)
def test_an_old_redis_that_nobody_updates_is_warned_of(place, tmp_path, monkeypatch, version, bundled, level):
    found = server(tmp_path / "bin", f"Redis server v={version} sha=00000000:0 malloc=libc bits=64")
    monkeypatch.setattr(embedded, "redis_binary", lambda: str(found))
    monkeypatch.setattr(embedded, "is_bundled", lambda _redis: bundled)

    verdict = checks.redis_binary(place)

    assert verdict.level == level
    assert version in verdict.text
    assert bool(verdict.mend) == (level == checks.WARN)


def test_a_redis_that_says_nothing_of_itself_is_warned_of(place, tmp_path, monkeypatch):
    found = server(tmp_path / "bin", "")
    monkeypatch.setattr(embedded, "redis_binary", lambda: str(found))

    assert checks.redis_binary(place).level == checks.WARN


def test_the_one_in_the_wheel_is_known_as_such(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # none of the system's

    assert embedded.is_bundled(embedded.redis_binary())
    assert not embedded.is_bundled(str(server(tmp_path / "bin", "")))
