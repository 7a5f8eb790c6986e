"""The data folder is its owner's alone, also where an older one was not."""

from __future__ import annotations

import os
import stat

import pytest
from click.testing import CliRunner

from cli import checks, private, settings
from cli.main import main


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def older(tmp_path):
    """A data folder as an earlier release, or a careless administrator, left it."""
    made = tmp_path / "data"
    made.mkdir()
    for name in ("atelier.db", "atelier.db-wal", "lock", "key", "notes.txt"):
        (made / name).write_text("x")
    for name in ("objects", "logs"):
        (made / name).mkdir()
        (made / name / "inside").write_text("x")
    for path in (made, *made.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (made / "key").chmod(0o600)
    return made


def test_what_is_ours_in_an_older_folder_is_closed_and_the_rest_left_alone(older):
    assert {path.name for path in private.exposed(older)} == {
        "atelier.db",
        "atelier.db-wal",
        "lock",
        "objects",
        "logs",
    }

    assert private.tighten(older) == []

    assert not private.exposed(older)
    assert mode(older / "atelier.db") == 0o600
    assert mode(older / "objects") == 0o700
    assert mode(older / "notes.txt") == 0o644
    assert mode(older) == 0o755, "it may be a folder of other things as well"


def test_a_closed_folder_needs_nothing(older):
    older.chmod(0o700)
    assert not private.exposed(older)


def test_what_is_not_ours_to_change_is_named(older, monkeypatch):
    def refuse(_path, _mode):
        raise PermissionError

    monkeypatch.setattr(type(older), "chmod", refuse)
    assert {path.name for path in private.tighten(older)} >= {"atelier.db", "objects"}


def test_the_doctor_warns_of_it(older):
    def verdict():
        return checks.CHECKS["folder"](checks.Place(older, settings.environment(older), None))

    assert verdict().level == checks.WARN
    assert "atelier.db" in verdict().text
    private.tighten(older)
    assert verdict().level == checks.OK


def test_a_database_that_a_command_makes_is_private_from_the_start(tmp_path):
    folder = tmp_path / "data"
    before = os.umask(0o022)
    try:
        done = CliRunner().invoke(main, ["--data-dir", str(folder), "keys", "create", "ann"])
        assert done.exit_code == 0, done.output
        assert mode(folder / "atelier.db") == 0o600
        assert os.umask(0o022) == 0o022, (
            "what the command prints or saves elsewhere is as its caller wants it"
        )
    finally:
        os.umask(before)
