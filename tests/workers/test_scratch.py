"""Folders of attempts: what a killed process leaves is swept, what is in use is not."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from workers.scratch import Scratch, remove_left

HOLDER = """
import sys, time
from workers.scratch import Scratch
made = Scratch()
(made.path / "input").write_bytes(b"x" * 1000)
print(made.path, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Its own temporary folder, for this process and those it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_it_is_empty_and_goes_with_the_attempt(folder):
    made = Scratch()
    assert (made.path.parent, list(made.path.iterdir())) == (folder, [])
    (made.path / "deep").mkdir()
    (made.path / "deep" / "file").write_bytes(b"x")
    made.close()
    assert list(folder.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_nothing_else(folder):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        left = holder.stdout.readline().strip()
        own = Scratch()
        other = folder / "atelier-networks-0"
        other.mkdir()
        (folder / "atelier-scratch-file").write_bytes(b"no folder")
        (folder / "atelier-scratch-link").symlink_to(other)
        assert remove_left() == []
    finally:
        holder.kill()
        holder.communicate()
    assert [str(path) for path in remove_left()] == [left]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [own.path.name, other.name, "atelier-scratch-file", "atelier-scratch-link"]
    )
    own.close()


def test_one_that_was_swept_away_at_its_birth_is_made_again(monkeypatch):
    swept = []

    def first_swept(prefix):
        folder = make(prefix=prefix)
        if not swept:
            swept.extend(remove_left())
        return folder

    make = tempfile.mkdtemp
    monkeypatch.setattr("tempfile.mkdtemp", first_swept)
    made = Scratch()
    assert made.path.is_dir()
    assert len(swept) == 1
    assert made.path not in swept
    made.close()


def test_one_that_is_being_swept_is_waited_for_and_made_again(monkeypatch):
    """The sweeper locked it before its maker could, and removes it while the maker waits for the lock."""
    kernel, paths = fcntl.flock, []

    def removed_first(descriptor, operation):
        if not paths:
            paths.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
            paths[0].rmdir()
        kernel(descriptor, operation)

    monkeypatch.setattr("fcntl.flock", removed_first)
    made = Scratch()
    assert made.path.is_dir()
    assert made.path != paths[0]
    made.close()


def test_a_file_system_without_locks_will_do(folder, monkeypatch):
    def none(_descriptor, _operation):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr("fcntl.flock", none)
    made = Scratch()
    assert remove_left() == []
    assert made.path.is_dir()
    made.close()
    assert list(folder.iterdir()) == []
